//! Claims about codes.

use serde_json::{Value, json};

use crate::code::{Code, CodeError, MAX_TYPED_BYTES, Parsed, WordCount};
use crate::wire::signaling::Nameplate;

fn nameplate() -> Nameplate {
    Nameplate::new(417).unwrap()
}

/// What code.json says of an input.
fn described(typed: &str) -> Value {
    let kind = match Code::parse(typed) {
        Ok(parsed) => {
            let mended: Vec<_> = parsed.mended.iter().map(|it| json!([it.typed, it.meant])).collect();
            let Parsed { code, server, .. } = parsed;
            return json!({
                "input": typed, "code": code.to_string(), "nameplate": code.nameplate(),
                "secret": code.secret(), "mended": mended, "server": server,
            });
        }
        Err(CodeError::UnknownWord { typed: shown, suggestions }) => {
            return json!({
                "input": typed, "error": "unknown-word", "typed": shown, "suggestions": suggestions,
            });
        }
        Err(CodeError::Empty) => "empty",
        Err(CodeError::TooLong { .. }) => "too-long",
        Err(CodeError::NoNameplate) => "no-nameplate",
        Err(CodeError::WordCount { .. }) => "word-count",
    };
    json!({ "input": typed, "error": kind })
}

#[test]
fn the_shared_figures_are_reproduced() {
    let figures: Value = serde_json::from_str(include_str!("../../fixtures/vectors/code.json")).unwrap();
    for figure in figures["parse"].as_array().unwrap() {
        assert_eq!(&described(figure["input"].as_str().unwrap()), figure);
    }
    for figure in figures["generate"].as_array().unwrap() {
        let random = data_encoding::HEXLOWER.decode(figure["random"].as_str().unwrap().as_bytes());
        let count = WordCount::new(figure["words"].as_u64().unwrap() as usize).unwrap();
        let code = Code::generate(nameplate(), count, &random.unwrap().try_into().unwrap());
        assert_eq!(code.to_string(), figure["code"].as_str().unwrap());
    }
}

#[test]
fn every_generated_code_reads_back() {
    for low in 0..=255 {
        let random = std::array::from_fn(|at| low ^ (at as u8).wrapping_mul(37));
        for count in (WordCount::MIN..=WordCount::MAX).filter_map(WordCount::new) {
            let code = Code::generate(nameplate(), count, &random);
            let parsed = Code::parse(&code.to_string()).unwrap();
            assert_eq!(parsed.code.secret(), code.secret());
            assert_eq!(parsed.mended, []);
            assert_eq!(code.secret().split('-').count(), count.get());
        }
    }
}

#[test]
fn two_words_are_twenty_bits() {
    assert_eq!(WordCount::default().entropy_bits(), 20);
    assert_eq!(WordCount::new(8).unwrap().entropy_bits(), 80);
    assert_eq!((WordCount::new(1), WordCount::new(9)), (None, None));
}

#[test]
fn words_that_anybody_would_try_are_known() {
    for (typed, easy) in [
        ("417-aloe-tuba", true),
        ("123 aloe tuba", true),
        ("417-magnet-magnet", true),
        ("417-magnet-opera-magnet", true),
        ("417-magnet-opera", false),
        ("417-aloe-tuba-opera", false),
    ] {
        let code = Code::parse(typed).unwrap().code;
        assert_eq!(code.is_easily_guessed(), easy, "{typed}");
        assert_eq!(code.words().get(), typed.split([' ', '-']).count() - 1);
    }
}

#[test]
fn debug_output_holds_no_word() {
    let parsed = Code::parse("https://host.example/#417 aloe tbua").unwrap();
    let shown = format!("{parsed:?} {:#?}", parsed.code);
    assert!(shown.contains("417-…"), "{shown}");
    assert!(!["aloe", "tuba", "tbua"].iter().any(|word| shown.contains(word)), "{shown}");
}

#[test]
fn errors_echo_nothing_that_could_move_a_cursor() {
    for hostile in ["417-\u{1b}[2Jxxxxx-tuba", "417-xx\u{202e}xx-tuba", "417-xxxx\u{5d0}-tuba\u{7}"] {
        let error = Code::parse(hostile).unwrap_err();
        let CodeError::UnknownWord { typed, .. } = error else { panic!("{error}") };
        assert!(typed.chars().all(|c| c.is_ascii_alphanumeric() || c == '?'), "{typed:?}");
    }
}

#[test]
fn long_input_is_not_looked_at() {
    let longest = format!("417-aloe-tuba{}", " ".repeat(MAX_TYPED_BYTES - 13));
    assert!(Code::parse(&longest).is_ok());
    let longer = CodeError::TooLong { got: MAX_TYPED_BYTES + 1, max: MAX_TYPED_BYTES };
    assert_eq!(Code::parse(&format!("{longest} ")).unwrap_err(), longer);
}
