#!/usr/bin/env python3
"""Hears everything on one interface, and looks in it for what must not be there. For tools/lan-test.sh; needs root to record.

    lan-listen.py record INTERFACE FILE      until interrupted; the file appears when listening begins
    lan-listen.py search FILE CODE..         fails when a code's words are in it, or a hash that words could be tried against
"""
import base64
import hashlib
import hmac
import signal
import re
import socket
import struct
import sys

EVERY_PROTOCOL = 3  # ETH_P_ALL

# Words of codes that are words of the protocol, too.
ALSO_SAID = {"direct", "update", "upgrade"}


def record(interface, path):
    heard = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EVERY_PROTOCOL))
    heard.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
    heard.bind((interface, 0))
    # PACKET_ADD_MEMBERSHIP, PACKET_MR_PROMISC: also what is for others.
    index = socket.if_nametoindex(interface)
    heard.setsockopt(263, 1, struct.pack("iHH8s", index, 1, 0, b""))
    signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
    with open(path, "wb") as file:
        while True:
            packet = heard.recv(65536)
            file.write(struct.pack("<I", len(packet)) + packet)
            file.flush()


def packets(path):
    data = open(path, "rb").read()
    at = 0
    while at + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def payload(packet):
    """What a TCP segment or a UDP datagram carries, and whose it is, else the whole packet."""
    kind = packet[12:14]
    if kind == b"\x08\x00":
        ip, protocol, flow = packet[14 + 4 * (packet[14] & 15) :], packet[23], packet[26:34]
        ip = ip[: struct.unpack_from(">H", packet, 16)[0] - 4 * (packet[14] & 15)]
    elif kind == b"\x86\xdd":
        ip, protocol, flow = packet[54:], packet[20], packet[22:54]
    else:
        return None, packet
    if protocol == 6 and len(ip) >= 20:
        return flow + ip[:4], ip[4 * (ip[12] >> 4) :]
    return None, ip


def unmasked(stream):
    """A client's WebSocket frames are masked (RFC 6455 section 5.3), with a key that stands before them."""
    found = []
    for at in range(len(stream) - 6):
        if stream[at] & 0x8F not in (0x81, 0x82) or not stream[at + 1] & 0x80:
            continue
        length, begin = stream[at + 1] & 0x7F, at + 2
        if length == 126:
            length, begin = struct.unpack_from(">H", stream, begin)[0], begin + 2
        if length == 127 or begin + 4 + length > len(stream):
            continue
        mask, body = stream[begin : begin + 4], stream[begin + 4 : begin + 4 + length]
        found.append(bytes(byte ^ mask[index % 4] for index, byte in enumerate(body)))
    return found


def telltales(code):
    """Both words in the spellings that one would think of, and hashes of them, with the nameplate and without."""
    number, *words = code.split("-")
    spellings = {joint.join(parts) for joint in ("-", " ", "", ".", ",", ":", "\0") for parts in (words, [number, *words])}
    spellings |= {text.upper() for text in spellings} | {text.title() for text in spellings}
    for text in spellings:
        yield f"{text!r}", text.encode()
        for name in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s"):
            digests = [hashlib.new(name, text.encode()).digest()]
            if name.startswith("sha") and "_" not in name:
                for key, message in ((text, number), (number, text), (text, "p2pcp/1"), ("p2pcp/1", text)):
                    digests.append(hmac.new(key.encode(), message.encode(), name).digest())
            for digest in digests:
                # Half a digest is enough to try words against.
                half = digest[: max(8, len(digest) // 2)]
                yield f"{name} of {text!r}", half
                yield f"{name} of {text!r} in hex", half.hex().encode()
                yield f"{name} of {text!r} in base64", base64.urlsafe_b64encode(half)[: len(half)]


def search(path, codes):
    streams, loose = {}, []
    for packet in packets(path):
        flow, body = payload(packet)
        if flow is None:
            loose.append(body)
        else:
            streams[flow] = streams.get(flow, b"") + body
    said = [text for stream in streams.values() for text in unmasked(stream)]
    everything = b"\n".join([*loose, *streams.values(), *said]).lower()
    # That it hears at all: announcements, the start of a meeting and its PAKE.
    for must in (b"_p2pcp", b'"join"', b'"pake"', b'"confirm"', b'"sealed"', b"joined"):
        if must not in everything:
            sys.exit(f"{must.decode()} was not heard: is this the network?")
    wrong = [what for code in codes for what, bytes_ in telltales(code) if bytes_.lower() in everything]
    # One word by itself stands in random bytes by chance: it is looked for in what is neither encrypted nor masked.
    clear = b"\n".join(re.findall(rb"[ -~]{12,}", b"\n".join([*said, *streams.values()])))
    clear = re.sub(rb'"box":"[^"]*"', b"", clear.lower())
    announced = b"\n".join(packet for packet in loose if b"_p2pcp" in packet).lower()
    words = {word for code in codes for word in code.split("-")[1:]} - ALSO_SAID
    wrong += [f"the word {word}" for word in words if word.encode() in clear + announced]
    if wrong:
        sys.exit("heard: " + "; ".join(sorted(set(wrong))))
    print(f"{len(loose)} packets, {len(streams)} streams and {len(said)} messages of clients searched")


if __name__ == "__main__":
    if sys.argv[1] == "record":
        record(sys.argv[2], sys.argv[3])
    search(sys.argv[2], sys.argv[3:])
