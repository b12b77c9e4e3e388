# shellcheck shell=bash
# Sourced by netlab.sh: the cables, addresses and routes of each topology.

up_wan() {
    add_ns a
    add_ns b
    start_emu a wan0 b wan0
    address a wan0 10.77.0.1/30 fd77::1/64
    address b wan0 10.77.0.2/30 fd77::2/64
    printf '%s\n' "topology wan" "a 10.77.0.1" "b 10.77.0.2" >"$dir/topology"
}

# Somewhere addresses of the internet where nobody is and nobody says so.
nobody() {
    ip -n "$(ns inet)" route add blackhole 198.18.0.99
    [ "$ipv6" = no ] || ip -n "$(ns inet)" route add blackhole 2001:db8::99
}

public_host() {
    cable pub eth0 inet to_pub
    address pub eth0 198.18.0.10/24 198.18.0.11/24
    address inet to_pub 198.18.0.1/24
    default_route pub 198.18.0.1
    in_ns inet sysctl -qw net.ipv4.ip_forward=1
    if [ "$ipv6" != no ]; then
        address pub eth0 2001:db8::10/64
        address inet to_pub 2001:db8::1/64
        default_route pub 2001:db8::1
        in_ns inet sysctl -qw net.ipv6.conf.all.forwarding=1
    fi
    nobody
    [ $reflect = 1 ] || return 0
    setsid ip netns exec "$(ns pub)" "$bin" reflect --listen 198.18.0.10:3478 --listen 198.18.0.10:3479 \
        --listen 198.18.0.11:3478 --listen 198.18.0.11:3479 </dev/null >"$dir/reflect.log" 2>&1 &
    echo $! >"$dir/reflect.pid"
}

default_route() { ip -n "$(ns "$1")" route add default via "$2"; } # default_route HOST ROUTER

# A host and its router, and the router's way to the internet: numbers make the addresses.
site() { # site HOST ROUTER NUMBER KIND ONLY: sets lan
    local h=$1 r=$2 i=$3 kind=$4 only=$5
    lan=192.168.1$i
    ! untranslated "$kind" || lan=198.18.1$i
    cable "$h" lan0 "$r" lan0
    [ "$only" = ipv6 ] || address "$h" lan0 $lan.2/24
    address "$r" lan0 $lan.1/24
    address "$r" wan0 198.18.$i.2/24
    address inet "to_$h" 198.18.$i.1/24
    [ "$only" = ipv6 ] || default_route "$h" $lan.1
    default_route "$r" 198.18.$i.1
    ! untranslated "$kind" || ip -n "$(ns inet)" route add $lan.0/24 via 198.18.$i.2
    if [ "$ipv6" != no ]; then
        [ "$only" = ipv4 ] || address "$h" lan0 2001:db8:1$i::2/64
        address "$r" lan0 2001:db8:1$i::1/64
        address "$r" wan0 2001:db8:$i::2/64
        address inet "to_$h" 2001:db8:$i::1/64
        [ "$only" = ipv4 ] || default_route "$h" 2001:db8:1$i::1
        default_route "$r" 2001:db8:$i::1
        ip -n "$(ns inet)" route add 2001:db8:1$i::/64 via 2001:db8:$i::2
    fi
    router "$r" "$kind" $lan.2
    [ "$kind" != proxy-only ] || proxy "$r" $lan.1
}

up_nat() {
    local h lan
    for h in a nata inet natb b pub; do add_ns $h; done
    start_emu nata wan0 inet to_a
    cable natb wan0 inet to_b
    site a nata 1 "$nat_a" "$only_a"
    printf '%s\n' "topology nat, a behind $nat_a, b behind $nat_b" "a $lan.2" >"$dir/topology"
    site b natb 2 "$nat_b" "$only_b"
    printf '%s\n' "b $lan.2" "pub 198.18.0.10" "nata 198.18.1.2" "natb 198.18.2.2" "inet 198.18.0.1" >>"$dir/topology"
    public_host
    with a "$with_a" 198.18.2.0/24 198.18.12.0/24
    with b "$with_b" 198.18.1.0/24 198.18.11.0/24
}

# a and b behind one router.
up_home() {
    local h lan b_ip=192.168.11.3 b_v6=2001:db8:11::3 b_router=192.168.11.1 b_router6=2001:db8:11::1
    for h in a b nata inet pub; do add_ns $h; done
    start_emu nata wan0 inet to_a
    if [ "$lans" = one ]; then
        # The switch that homes have in their router.
        in_ns nata ip link add lan0 type bridge mcast_snooping 0
        in_ns nata ip link set lan0 up
        cable a lan0 nata port_a
        cable b lan0 nata port_b
        in_ns nata ip link set port_a master lan0
        in_ns nata ip link set port_b master lan0
    else
        cable a lan0 nata lan0
        cable b lan0 nata lan1
        b_ip=192.168.12.2 b_router=192.168.12.1 b_v6=2001:db8:12::2 b_router6=2001:db8:12::1
        address nata lan1 $b_router/24
    fi
    address a lan0 192.168.11.2/24
    address b lan0 $b_ip/24
    address nata lan0 192.168.11.1/24
    address nata wan0 198.18.1.2/24
    address inet to_a 198.18.1.1/24
    default_route a 192.168.11.1
    default_route b $b_router
    default_route nata 198.18.1.1
    if [ "$ipv6" != no ]; then
        address a lan0 2001:db8:11::2/64
        address b lan0 $b_v6/64
        address nata lan0 2001:db8:11::1/64
        [ "$lans" = one ] || address nata lan1 $b_router6/64
        address nata wan0 2001:db8:1::2/64
        address inet to_a 2001:db8:1::1/64
        default_route a 2001:db8:11::1
        default_route b $b_router6
        default_route nata 2001:db8:1::1
        ip -n "$(ns inet)" route add 2001:db8:11::/64 via 2001:db8:1::2
        [ "$lans" = one ] || ip -n "$(ns inet)" route add 2001:db8:12::/64 via 2001:db8:1::2
    fi
    router nata "$nat_a" 192.168.11.2
    hairpin nata 198.18.1.2 a 192.168.11.2 20000-29999 b $b_ip 30000-39999
    [ "$lans" != isolated ] || isolate nata
    printf '%s\n' "topology home, both behind $nat_a, lans $lans, hairpin $hairpins" "a 192.168.11.2" "b $b_ip" "pub 198.18.0.10" \
        "nata 198.18.1.2" "inet 198.18.0.1" >"$dir/topology"
    public_host
    with a "$with_a"
    with b "$with_b"
}
