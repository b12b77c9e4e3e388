//! What is a URL of a STUN or TURN server, and what is none.

use super::*;

fn check<T: FromStr<Err = IceUrlError>>(
    text: &str,
    show: impl Fn(T) -> String,
) -> Result<String, IceUrlError> {
    text.parse().map(show)
}

#[test]
fn urls_of_servers_are_read_and_written_the_same() {
    for (typed, meant) in [
        ("stun:stun.example.org", "stun:stun.example.org:3478"),
        ("stun:192.0.2.1:19302", "stun:192.0.2.1:19302"),
        ("stun:[2001:db8::1]:99", "stun:[2001:db8::1]:99"),
        ("stun:2001:db8::1", "stun:[2001:db8::1]:3478"),
        ("turn:_:8091", "turn:_:8091?transport=udp"),
        ("turn:_:8091?transport=udp", "turn:_:8091?transport=udp"),
        ("turn:relay:8091?transport=tcp", "turn:relay:8091?transport=tcp"),
        ("turns:relay", "turns:relay:5349?transport=tcp"),
        (" turns:relay:443?transport=tcp ", "turns:relay:443?transport=tcp"),
    ] {
        let read = |text| check::<IceUrl>(text, |it| it.to_string());
        assert_eq!(read(typed).as_deref(), Ok(meant));
        assert_eq!(read(meant).as_deref(), Ok(meant));
    }
}

#[test]
fn what_is_no_url_of_a_server_is_refused_by_what_is_wrong() {
    use IceUrlError::{Host, Port, Scheme, Transport};
    let long = format!("stun:{}", "a".repeat(254));
    for (text, error) in [
        ("", Scheme),
        ("relay", Scheme),
        ("http:relay", Scheme),
        ("STUN", Scheme),
        ("stuns:relay", Scheme),
        ("stun:", Host),
        ("stun://relay", Host),
        ("stun:re lay", Host),
        ("stun:relay/x", Host),
        ("stun:user@relay", Host),
        ("stun:[relay]:1", Host),
        ("stun:[::1", Host),
        (&long, Host),
        ("stun:relay:0", Port),
        ("stun:relay:65536", Port),
        ("stun:relay:+1", Port),
        ("stun:relay:", Port),
        ("stun:[::1]1", Port),
        ("stun:relay?transport=tcp", Transport),
        ("turn:relay?transport=sctp", Transport),
        ("turns:relay?transport=udp", Transport),
        ("turn:relay?x", Transport),
    ] {
        assert_eq!(check::<IceUrl>(text, |it| it.to_string()), Err(error), "{text}");
    }
}

#[test]
fn people_name_stun_servers_without_a_scheme_too() {
    for (typed, meant) in [
        ("stun.example.org", "stun:stun.example.org:3478"),
        ("stun.example.org:19302", "stun:stun.example.org:19302"),
        ("stun:192.0.2.1", "stun:192.0.2.1:3478"),
        ("2001:db8::1", "stun:[2001:db8::1]:3478"),
        ("[2001:db8::1]", "stun:[2001:db8::1]:3478"),
    ] {
        assert_eq!(IceUrl::stun(typed).unwrap().to_string(), meant);
    }
    assert_eq!(IceUrl::stun("not a name"), Err(IceUrlError::Host));
}

#[test]
fn turn_servers_have_a_user_and_a_password_in_any_characters() {
    let show = |it: TurnServer| format!("{} {} {}", it.url, it.username, it.password);
    for (typed, meant) in [
        ("turn:me:secret@relay:3478?transport=udp", "turn:relay:3478?transport=udp me secret"),
        ("turn:me:a%40b%3Ac%2c%25@relay", "turn:relay:3478?transport=udp me a@b:c,%"),
        ("turn:12345:room%3A1:p@relay", "turn:relay:3478?transport=udp 12345 room:1:p"),
        ("turns:%C3%A4:x@[2001:db8::1]:443", "turns:[2001:db8::1]:443?transport=tcp ä x"),
    ] {
        assert_eq!(check(typed, show).as_deref(), Ok(meant));
    }
    for (text, error) in [
        ("turn:relay", IceUrlError::Credentials),
        ("turn:me@relay", IceUrlError::Credentials),
        ("turn::secret@relay", IceUrlError::Credentials),
        ("turn:me:@relay", IceUrlError::Credentials),
        ("turn:me:%ff@relay", IceUrlError::Credentials),
        ("turn:me:%00@relay", IceUrlError::Credentials),
        ("stun:me:secret@relay", IceUrlError::Scheme),
        ("turn:me:secret@", IceUrlError::Host),
        ("turn:me:secret@relay:99999", IceUrlError::Port),
    ] {
        assert_eq!(check(text, show), Err(error), "{text}");
    }
}

#[test]
fn a_password_is_not_shown() {
    let server: TurnServer = "turn:me:hush@relay".parse().unwrap();
    assert!(!format!("{server:?}").contains("hush"));
}
