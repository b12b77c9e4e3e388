# shellcheck shell=bash
# Sourced by netlab.sh: 'netlab.sh selftest' checks that delay, loss, rate, NATs and ways out are as asked.

checks=0 bad=0
check() { # check TEXT COMMAND...: the command must succeed
    local t=$1
    shift
    checks=$((checks + 1))
    if "$@"; then echo "ok   $t"; else echo "FAIL $t"; bad=$((bad + 1)); fi
}
between() { awk -v v="$1" -v a="$2" -v b="$3" 'BEGIN { exit !(v + 0 >= a && v + 0 <= b) }'; }
field() { echo "$1" | awk -v k="$2" '{ for (i = 1; i < NF; i++) if ($i == k) { print $(i + 1); exit } }'; }
meter() { local h=$1; shift; in_ns "$h" "$bin" meter "$@" || true; }

echo_on() { # echo_on HOST ADDRESS: a reflector for the wan topology
    # not through in_ns: the process itself is wanted, not a shell around it
    ip netns exec "$(ns "$1")" "$bin" reflect --listen "$2" </dev/null >/dev/null 2>&1 &
    echo_pid=$!
    sleep 0.2
}

mapping() { in_ns "$1" "$bin" probe --bind "${2:-0}" --server 198.18.0.10:3478 --server 198.18.0.10:3479 --server 198.18.0.11:3478; }

tcp_reaches() { # a refused connection proves that the way there and back works
    [[ $(in_ns "$1" timeout 3 bash -c "exec 3<>/dev/tcp/$2/$3" 2>&1) == *refused* ]]
}

try_punch() { # try_punch: "yes" when a and b exchange UDP through their NATs
    local ma mb ra=0 rb=0
    ma=$(mapping a 5001 | awk 'NR == 1 { print $2 }')
    mb=$(mapping b 5002 | awk 'NR == 1 { print $2 }')
    [ "$ma" != - ] && [ "$mb" != - ] || { echo no; return; }
    in_ns a "$bin" punch --bind 5001 --peer "$mb" --secs 2 >/dev/null &
    local pa=$!
    in_ns b "$bin" punch --bind 5002 --peer "$ma" --secs 2 >/dev/null || rb=1
    wait $pa || ra=1
    [ $ra$rb = 00 ] && echo yes || echo no
}

listens_on() { # listens_on HOST PORT: waits for a listener
    local i
    for ((i = 0; i < 100; i++)); do
        [ -z "$(in_ns "$1" ss -Hltn "sport = :$2")" ] || return 0
        sleep 0.05
    done
    return 1
}

# A request to a proxy at 192.168.11.1, in printf's notation, and its answer in hexadecimal.
asked() { # asked HOST PROXY_PORT REQUEST ANSWER_BYTES
    in_ns "$1" timeout 5 bash -c "exec 3<>/dev/tcp/192.168.11.1/$2; printf '$3' >&3; head -c $4 <&3" | od -An -tx1 | tr -d ' \n'
}

selftest_proxy() {
    local http='485454502f312e3120323030' # HTTP/1.1 200
    local p
    ip netns exec "$(ns pub)" "$bin" proxy --listen 198.18.0.10:443 </dev/null >/dev/null 2>&1 &
    p=$!
    check "proxy-only: a listener on pub" listens_on pub 443
    listens_on nata 3128 || true
    check "proxy-only: CONNECT reaches pub" test "$(asked a 3128 'CONNECT 198.18.0.10:443 HTTP/1.1\r\n\r\n' 12)" = $http
    # Through the first proxy to the second and back to the reflector's host: what follows the head is passed on.
    check "proxy-only: what follows is passed on" \
        test "$(asked a 3128 'CONNECT 198.18.0.10:443 HTTP/1.1\r\n\r\nCONNECT 198.18.0.10:443 HTTP/1.1\r\n\r\n' 51 | tail -c 24)" = $http
    check "proxy-only: CONNECT to nobody is refused" \
        test "$(asked a 3128 'CONNECT 198.18.0.10:9 HTTP/1.1\r\n\r\n' 12)" = 485454502f312e3120353032
    check "proxy-only: SOCKS5 reaches pub" \
        test "$(asked a 3128 '\x05\x01\x00\x05\x01\x00\x01\xc6\x12\x00\x0a\x01\xbb' 4)" = 05000500
    check "proxy-only: SOCKS5 takes names" \
        test "$(asked a 3128 '\x05\x01\x00\x05\x01\x00\x03\x0b198.18.0.10\x01\xbb' 4)" = 05000500
    check "proxy-only: SOCKS5 to nobody is refused" \
        test "$(asked a 3128 '\x05\x01\x00\x05\x01\x00\x01\xc6\x12\x00\x0a\x00\x09' 4)" = 05000504
    kill $p
    wait $p || true
}

pings() { in_ns "$1" ping -c 1 -W 1 "$2" >/dev/null 2>&1; } # pings HOST ADDRESS
not() { ! "$@"; }

# punched A_PEER B_PEER [ANY]: both send to where they are told, from ports 25001 (a) and 35002 (b)
punched() {
    local any=${3:-0.0.0.0} ra=0 rb=0
    in_ns a "$bin" punch --bind "$any:25001" --peer "$1" --secs 2 >/dev/null &
    local pa=$!
    in_ns b "$bin" punch --bind "$any:35002" --peer "$2" --secs 2 >/dev/null || rb=1
    wait $pa || ra=1
    [ $ra$rb = 00 ]
}

selftest_ipv6() {
    up nat --nat-a cone --nat-b symmetric --ipv6 --delay 2
    check "IPv6: pub is reached" pings a 2001:db8::10
    check "IPv6: a firewall lets nothing in unasked" not pings pub 2001:db8:11::2
    check "IPv6: punching works whatever IPv4's router is" punched '[2001:db8:12::2]:35002' '[2001:db8:11::2]:25001' '[::]'
    down
    up nat --nat-a none --ipv6-only --delay 2
    check "IPv6 only: no IPv4" not pings a 198.18.0.10
    check "IPv6 only: kind none lets in" pings pub 2001:db8:11::2
    down
    up nat --only-a ipv6 --only-b ipv4 --delay 2
    check "IPv6 for a only" not pings a 198.18.0.10
    check "IPv6 for a only: it has that" pings a 2001:db8::10
    check "IPv4 for b only" not pings b 2001:db8::10
    check "IPv4 for b only: it has that" pings b 198.18.0.10
    down
}

selftest_home() {
    local a=192.168.11.2:25001
    up home
    check "home, one network: inner addresses" punched 192.168.11.3:35002 $a
    check "home, no hairpin: public addresses do not reach inside" not punched 198.18.1.2:35002 198.18.1.2:25001
    check "home: pub is reached" pings b 198.18.0.10
    down
    up home --lans two
    check "home, two networks: inner addresses" punched 192.168.12.2:35002 $a
    down
    up home --lans isolated --hairpin --ipv6
    check "home, isolated: no inner addresses" not punched 192.168.12.2:35002 $a
    check "home, isolated: no IPv6" not pings a 2001:db8:12::2
    check "home, isolated, hairpin: public addresses" punched 198.18.1.2:35002 198.18.1.2:25001
    down
}

selftest_interfaces() {
    local p
    up nat --delay 2 --with-a dummies,docker,vpn --with-b docker --name pub.netlab=198.18.0.99,198.18.0.10 --no-reflect
    check "20 interfaces and three more" test "$(ip -n "$(ns a)" -4 -br addr | wc -l)" = 24
    check "a dead VPN: pub is reached, the other network is not" pings a 198.18.0.10
    check "a dead VPN: the other network is gone" not pings a 198.18.2.2
    check "the other way it is there" pings b 198.18.1.2
    check "docker's address is one's own" pings b 172.17.0.1
    check "a name with two addresses" test "$(in_ns a getent ahostsv4 pub.netlab | awk '/STREAM/ { printf "%s ", $1 }')" = "198.18.0.99 198.18.0.10 "
    check "the dead address is silent" not pings a 198.18.0.99
    ip netns exec "$(ns b)" "$bin" capture --file "$dir/capture.pcap" </dev/null >"$dir/capture.log" &
    p=$!
    while kill -0 $p && ! grep -q capturing "$dir/capture.log"; do sleep 0.05; done
    pings b 198.18.0.10
    kill $p
    wait $p
    # An IP header begins with 45; b sends, and the answer comes.
    check "capture has a packet and its answer" test "$(od -An -v -tx1 "$dir/capture.pcap" | tr -d ' \n' | grep -oE 'c0a80c02c612000a|c612000ac0a80c02' | wc -l)" = 2
    down
}

# These are about time, so a busy machine fails them.
selftest_links() {
    local r v
    up wan --delay 25
    echo_on b 10.77.0.2:7777
    r=$(meter a --server 10.77.0.2:7777 --count 200 --interval-us 5000)
    check "delay 25 ms each way: round trip $(field "$r" avg) ms, min $(field "$r" min)" between "$(field "$r" avg)" 50 51.5
    check "no loss asked, none seen" between "$(field "$r" lost)" 0 0
    set_link --loss 1/0
    r=$(meter a --server 10.77.0.2:7777 --count 20000 --interval-us 100)
    check "loss 1% one way: $(field "$r" lost)%" between "$(field "$r" lost)" 0.75 1.25
    set_link --loss 100
    r=$(meter a --server 10.77.0.2:7777 --count 20 --interval-us 100 --wait 200)
    check "loss 100% cuts the link" test "$(field "$r" received)" = 0
    set_link --loss 0 --delay 5 --jitter 10/0
    r=$(meter a --server 10.77.0.2:7777 --count 500 --interval-us 2000)
    check "jitter 10 ms: round trip $(field "$r" min)..$(field "$r" max) ms" between "$(field "$r" max)" 15 21.5
    check "jitter keeps order" test "$(field "$r" late)" = 0
    set_link --jitter 0 --reorder 5/0 --reorder-delay 3
    r=$(meter a --server 10.77.0.2:7777 --count 4000 --interval-us 200)
    check "reorder 5%: $(field "$r" late) of 4000 late" between "$(field "$r" late)" 120 280
    set_link --reorder 0 --dup 10/0
    r=$(meter a --server 10.77.0.2:7777 --count 4000 --interval-us 200)
    check "dup 10%: $(field "$r" dup) of 4000 twice" between "$(field "$r" dup)" 300 500
    set_link --dup 0 --rate 20/0 --queue 50000/0
    r=$(meter a --server 10.77.0.2:7777 --count 4000 --size 1000 --interval-us 200)
    v=$(field "$r" rate)
    check "rate 20 Mbit/s (1000 of 1028 bytes are payload): $v Mbit/s" between "$v" 18.4 19.6
    check "its queue of 50 kB adds 20 ms: at most $(field "$r" max) ms" between "$(field "$r" max)" 28 31.5
    kill $echo_pid
    wait $echo_pid 2>/dev/null || true
    down

    up wan --loss 5/0 --loss-burst 10
    echo_on b 10.77.0.2:7777
    r=$(meter a --server 10.77.0.2:7777 --count 60000 --interval-us 50)
    check "loss 5% in bursts of 10: $(field "$r" lost)%" between "$(field "$r" lost)" 4 6
    kill $echo_pid
    wait $echo_pid 2>/dev/null || true
    down
}

selftest() {
    need_root
    lab=${NETLAB_NAME:-}selftest pre=p2pcp-${NETLAB_NAME:-}selftest- dir=$base/${NETLAB_NAME:-}selftest
    need_bin
    local r v ka kb want got
    [ -z "$(hosts)" ] || down --kill
    [ "${1:-}" = nat ] || selftest_links
    for ka in "${kinds[@]}"; do
        up nat --nat-a "$ka" --nat-b cone --delay 2
        r=$(mapping a 5001 || true)
        v=$(echo "$r" | awk 'NR == 1 { print $2 }')
        case $ka in
            none | firewall) check "$ka: public sees the host's own address $v" test "$v" = 198.18.11.2:5001 ;;
            cone | fullcone) check "$ka: one mapping, port kept: $v" test "$v $(echo "$r" | tail -n 1)" = "198.18.1.2:5001 mapping: same" ;;
            symmetric) check "$ka: another port for each destination" test "${v%:*} $(echo "$r" | tail -n 1)" = "198.18.1.2 mapping: differs" ;;
            *) check "$ka: no UDP" test "$(echo "$r" | tail -n 1)" = "mapping: none" ;;
        esac
        if tcp_reaches a 198.18.0.10 443; then r=works; else r=blocked; fi
        check "$ka: TCP to port 443 of pub: $r" test $r = "$([ "$ka" = proxy-only ] && echo blocked || echo works)"
        if tcp_reaches a 198.18.0.10 9; then r=works; else r=blocked; fi
        case $ka in 443-only | proxy-only) want=blocked ;; *) want=works ;; esac
        check "$ka: TCP to another port of pub: $r" test $r = $want
        if in_ns a "$bin" punch --peer 192.168.12.2:5002 --secs 1 >/dev/null; then r=reached; else r=unreachable; fi
        check "$ka: b's inner address is $r" test $r = unreachable
        if tcp_reaches a 192.168.12.2 9; then r=reached; else r=unreachable; fi
        check "$ka: b's inner address is $r by TCP" test $r = unreachable
        [ "$ka" != proxy-only ] || selftest_proxy
        down
    done
    selftest_ipv6
    selftest_home
    selftest_interfaces
    local kinds=(none firewall cone fullcone symmetric udp-blocked)
    case ${1:-} in quick | nat) kinds=(cone symmetric) ;; esac
    for ka in "${kinds[@]}"; do
        for kb in "${kinds[@]}"; do
            want=yes
            case "$ka $kb" in
                *udp-blocked*) want=no ;;
                "symmetric symmetric" | "symmetric cone" | "cone symmetric") want=no ;;
                # a firewall without translation is as strict as cone towards changing ports
                "symmetric firewall" | "firewall symmetric") want=no ;;
            esac
            up nat --nat-a "$ka" --nat-b "$kb" --delay 2
            got=$(try_punch)
            check "hole punching $ka - $kb: $got" test "$got" = $want
            down
        done
    done
    echo "$((checks - bad)) of $checks checks passed"
    [ $bad = 0 ]
}

