# shellcheck shell=bash
# Sourced by netlab.sh: what a router lets through and translates, and what else a host may have.

kinds=(none firewall fullcone cone symmetric udp-blocked 443-only proxy-only)

# Prints the kind that is meant; "port-restricted" is what textbooks call cone.
kind_of() { # kind_of OPTION KIND
    local k=$2
    [ "$k" != port-restricted ] || k=cone
    case " ${kinds[*]} " in *" $k "*) echo "$k" ;; *) fail "$1: '$2' is none of ${kinds[*]} port-restricted" ;; esac
}

# Hosts behind these have public addresses.
untranslated() { case $1 in none | firewall) return 0 ;; esac; return 1; }

router() { # router HOST KIND INNER_IP: forwarding between lan0 and wan0
    local h=$1 kind=$2 inner=$3 snat='' dnat='' fwd='' only=''
    in_ns "$h" sysctl -qw net.ipv4.ip_forward=1
    [ "$ipv6" = no ] || in_ns "$h" sysctl -qw net.ipv6.conf.all.forwarding=1
    [ "$kind" != none ] || return 0
    command -v nft >/dev/null || fail "nftables (nft) is needed for router kind '$kind'"
    untranslated "$kind" || snat='oifname "wan0" masquerade'
    case $kind in
        fullcone)
            dnat="iifname \"wan0\" meta l4proto { tcp, udp } dnat to $inner"
            fwd='iifname "wan0" ct status dnat accept' ;;
        symmetric) snat='oifname "wan0" masquerade random,fully-random' ;;
        udp-blocked) only='meta l4proto udp drop' ;;
        443-only) only='ct state new tcp dport != 443 drop; ct state new meta l4proto != tcp drop' ;;
        proxy-only) only='drop' ;;
    esac
    # What nobody asked for is dropped before its connection entry is kept: an
    # entry would make a later packet of ours leave from another port.
    in_ns "$h" nft -f - <<N
table ip netlab {
    chain pre { type nat hook prerouting priority dstnat; $dnat; }
    chain post { type nat hook postrouting priority srcnat; $snat; }
    chain input {
        type filter hook input priority filter;
        ct state established,related accept
        iifname "wan0" icmp type echo-request accept
        iifname "wan0" drop
    }
    chain forward {
        type filter hook forward priority filter;
        $only
        ct state established,related accept
        $fwd
        iifname "wan0" drop
    }
}
table ip6 netlab {
    chain input {
        type filter hook input priority filter;
        meta l4proto ipv6-icmp accept
        ct state established,related accept
        iifname "wan0" drop
    }
    chain forward {
        type filter hook forward priority filter;
        $only
        ct state established,related accept
        iifname "wan0" drop
    }
}
N
    if [ -n "$udp_timeout" ]; then
        in_ns "$h" sysctl -qw "net.netfilter.nf_conntrack_udp_timeout=$udp_timeout" \
            "net.netfilter.nf_conntrack_udp_timeout_stream=$udp_timeout"
    fi
}

# The kernel's translation knows no mapping that would hold for packets from inside. So each host has source
# ports of its own (they are kept outside), and a packet from inside to the public address goes to whose port it is.
hairpin() { # hairpin ROUTER PUBLIC HOST IP FIRST-LAST [HOST IP FIRST-LAST]
    local r=$1 public=$2
    shift 2
    while [ $# -gt 0 ]; do
        in_ns "$1" sysctl -qw "net.ipv4.ip_local_port_range=${3/-/ }"
        [ "$hairpins" = no ] || in_ns "$r" nft -f - <<N
add rule ip netlab pre iifname { "lan0", "lan1" } ip daddr $public udp dport $3 dnat to $2
add rule ip netlab post oifname { "lan0", "lan1" } ip saddr $2 ct status dnat snat to $public
N
        shift 3
    done
}

# Two networks of one router that do not see each other; only what it turned round passes.
isolate() { # isolate ROUTER
    in_ns "$1" nft -f - <<'N'
insert rule ip netlab forward iifname "lan0" oifname "lan1" ct state new ct status & dnat == 0 drop
insert rule ip netlab forward iifname "lan1" oifname "lan0" ct state new ct status & dnat == 0 drop
insert rule ip6 netlab forward iifname "lan0" oifname "lan1" drop
insert rule ip6 netlab forward iifname "lan1" oifname "lan0" drop
N
}

proxy() { # proxy ROUTER IP: the only way out of a host behind kind proxy-only
    setsid ip netns exec "$(ns "$1")" "$bin" proxy --listen "$2:3128" </dev/null >"$dir/proxy-$1.log" 2>&1 &
    echo $! >"$dir/proxy-$1.pid"
}

with_ok() { # with_ok OPTION LIST
    local w
    for w in ${2//,/ }; do case $w in dummies | docker | vpn) ;; *) fail "$1: '$w' is not dummies, docker or vpn" ;; esac; done
}

# A cable whose other end is in a room where nobody is.
loose_cable() { # loose_cable HOST IF
    hosts | grep -qx nowhere || add_ns nowhere
    cable "$1" "$2" nowhere "$1-$2"
}

# More interfaces than the one that leads somewhere.
with() { # with HOST LIST [OTHERS_NETWORK...]
    local h=$1 list=$2 w i n me=1
    shift 2
    [ "$h" = a ] || me=2
    n=$(ns "$h")
    for w in ${list//,/ }; do
        case $w in
            dummies)
                for ((i = 1; i <= 20; i++)); do
                    loose_cable "$h" "extra$i"
                    address "$h" "extra$i" "10.20.$i.$me/24"
                    [ "$ipv6" = no ] || address "$h" "extra$i" "fd20:$i::$me/64"
                done ;;
            docker) # the same address on every machine in the world
                ip -n "$n" link add docker0 type bridge
                ip -n "$n" link set docker0 up
                loose_cable "$h" container
                ip -n "$n" link set container master docker0
                address "$h" docker0 172.17.0.1/16 ;;
            vpn) # up, and whatever goes into it is gone
                loose_cable "$h" vpn0
                ip -n "$n" link set vpn0 arp off
                address "$h" vpn0 "10.8.0.$me/24"
                for i; do ip -n "$n" route add "$i" dev vpn0; done ;;
        esac
    done
}

# Names that the hosts of the lab know, each of one or more addresses: 'ip netns exec' shows /etc/netns/NAMESPACE/hosts as /etc/hosts.
name_hosts() { # name_hosts NAME=ADDRESS[,ADDRESS...]...
    local h n a
    for h in $(hosts); do
        mkdir -p "/etc/netns/$(ns "$h")"
        {
            printf '127.0.0.1 localhost\n::1 localhost\n'
            for n; do for a in $(tr , ' ' <<<"${n#*=}"); do echo "$a ${n%%=*}"; done; done
        } >"/etc/netns/$(ns "$h")/hosts"
    done
}

forget_names() { # forget_names HOST...
    local h
    for h; do
        [ ! -d "/etc/netns/$(ns "$h")" ] || rm -r "/etc/netns/$(ns "$h")"
    done
    rmdir /etc/netns 2>/dev/null || true
}
