/* netlab capture: every packet of a network namespace, in a pcap file of bare IP packets. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "netlab.h"

#define LINKTYPE_RAW 101 /* the packet begins with its IP header */

static volatile sig_atomic_t over;

static void end(int signal)
{
    (void)signal;
    over = 1;
}

int cmd_capture(int argc, char **argv)
{
    struct option lo[] = {{"file", 1, 0, 'f'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    const char *file = NULL;
    int o;
    while ((o = getopt_long(argc, argv, "f:h", lo, NULL)) != -1) {
        if (o == 'f')
            file = optarg;
        else {
            fprintf(o == 'h' ? stdout : stderr,
                    "usage: netlab capture --file FILE\n"
                    "Writes every IP packet that a host of this network namespace sends or gets, over loopback\n"
                    "too, into a pcap file (link type RAW) until it is ended with SIGTERM or SIGINT. Says\n"
                    "'capturing' when it has begun, and at the end how many packets it had no room for.\n");
            return o == 'h' ? 0 : 2;
        }
    }
    if (!file || optind < argc)
        die("--file is needed, and nothing else (try 'netlab capture --help')");
    int s = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL)), big = 32 << 20;
    if (s < 0)
        die("packet socket: %s", strerror(errno));
    setsockopt(s, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
    FILE *out = fopen(file, "wb");
    if (!out)
        die("%s: %s", file, strerror(errno));
    struct sigaction sa = {.sa_handler = end};
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    /* Now and then without a packet, for a signal that comes between the look for it and the wait. */
    struct timeval often = {0, 200000};
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &often, sizeof often);
    const uint32_t head[6] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65536, LINKTYPE_RAW};
    fwrite(head, sizeof head, 1, out);
    puts("capturing");
    static unsigned char packet[65536];
    while (!over) {
        struct sockaddr_ll from;
        socklen_t len = sizeof from;
        ssize_t n = recvfrom(s, packet, sizeof packet, MSG_TRUNC, (struct sockaddr *)&from, &len);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            die("packet socket: %s", strerror(errno));
        if (from.sll_protocol != htons(ETH_P_IP) && from.sll_protocol != htons(ETH_P_IPV6))
            continue;
        struct timeval t;
        gettimeofday(&t, NULL);
        uint32_t kept = (size_t)n < sizeof packet ? (uint32_t)n : (uint32_t)sizeof packet;
        uint32_t record[4] = {(uint32_t)t.tv_sec, (uint32_t)t.tv_usec, kept, (uint32_t)n};
        fwrite(record, sizeof record, 1, out);
        fwrite(packet, kept, 1, out);
    }
    struct tpacket_stats st = {0, 0};
    socklen_t len = sizeof st;
    getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &len);
    bool full = ferror(out) != 0;
    if (fclose(out) || full)
        die("%s: could not be written", file);
    printf("missed %u\n", st.tp_drops);
    return st.tp_drops != 0;
}
