/* netlab proxy: an HTTP CONNECT and SOCKS5 proxy on one port, for hosts that have no other way out. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "netlab.h"

#define HEAD 8192 /* longest request, in bytes */

static const char *user, *basic; /* "NAME:PASSWORD", and the same in base64 */

static bool all(int s, const void *p, size_t n)
{
    for (const char *c = p; n;) {
        ssize_t w = send(s, c, n, MSG_NOSIGNAL);
        if (w <= 0)
            return false;
        c += w;
        n -= (size_t)w;
    }
    return true;
}

static bool exactly(int s, void *p, size_t n)
{
    return n == 0 || recv(s, p, n, MSG_WAITALL) == (ssize_t)n;
}

/* What comes goes on at once, however small, and waits as long as the other side does. */
static void at_once(int s)
{
    struct timeval none = {0, 0};
    int one = 1;
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof none);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
}

static int reach(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    int s = -1;
    if (getaddrinfo(host, port, &hints, &list))
        return -1;
    for (struct addrinfo *a = list; a && s < 0; a = a->ai_next) {
        struct timeval limit = {3, 0};
        s = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (s >= 0 && connect(s, a->ai_addr, a->ai_addrlen) < 0) {
            close(s);
            s = -1;
        }
    }
    freeaddrinfo(list);
    if (s >= 0)
        at_once(s);
    return s;
}

static char *base64(const char *in)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(in);
    char *out = calloc(1, (n + 2) / 3 * 4 + 1), *o = out;
    if (!out)
        die("out of memory");
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)(unsigned char)in[i] << 16;
        v |= i + 1 < n ? (uint32_t)(unsigned char)in[i + 1] << 8 : 0;
        v |= i + 2 < n ? (unsigned char)in[i + 2] : 0;
        *o++ = digits[v >> 18];
        *o++ = digits[v >> 12 & 63];
        *o++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
        *o++ = i + 2 < n ? digits[v & 63] : '=';
    }
    return out;
}

/* CONNECT (RFC 9110 section 9.3.6). Returns the way out, or -1 after it has said why there is none. */
static int http(int c, char *what, size_t n)
{
    static const char refused[] = "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n";
    static const char unknown[] = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"netlab\"\r\n"
                                  "Content-Length: 0\r\n\r\n";
    static const char nowhere[] = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";
    static const char open[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    char head[HEAD + 1], target[300], want[300];
    size_t got = 0;
    /* Byte by byte: what follows the head belongs to the other side. */
    while (got < HEAD && !(got >= 4 && !memcmp(head + got - 4, "\r\n\r\n", 4)))
        if (!exactly(c, head + got++, 1))
            return -1;
    head[got] = 0;
    if (got == HEAD || sscanf(head, "CONNECT %299s HTTP/1.", target) != 1) {
        all(c, refused, sizeof refused - 1);
        return -1;
    }
    snprintf(what, n, "CONNECT %s", target);
    snprintf(want, sizeof want, "Basic %s\r\n", basic ? basic : "");
    if (basic && !strstr(head, want)) {
        all(c, unknown, sizeof unknown - 1);
        return -1;
    }
    char *port = strrchr(target, ':'), *host = target;
    if (port)
        *port++ = 0;
    if (*host == '[' && host[strlen(host) - 1] == ']')
        *strrchr(++host, ']') = 0;
    int s = port ? reach(host, port) : -1;
    if (s < 0)
        all(c, nowhere, sizeof nowhere - 1);
    else if (!all(c, open, sizeof open - 1)) {
        close(s);
        s = -1;
    }
    return s;
}

/* SOCKS5 (RFC 1928, RFC 1929), its CONNECT only. */
static int socks(int c, char *what, size_t n)
{
    unsigned char b[300], method = user ? 2 : 0;
    char host[300] = "", port[8];
    if (!exactly(c, b, 2) || !exactly(c, b + 2, b[1]))
        return -1;
    if (!memchr(b + 2, method, b[1])) {
        all(c, "\5\xff", 2);
        return -1;
    }
    if (!all(c, (unsigned char[]){5, method}, 2))
        return -1;
    if (user) {
        char given[600];
        size_t at;
        if (!exactly(c, b, 2) || !exactly(c, given, at = b[1]))
            return -1;
        given[at++] = ':';
        if (!exactly(c, b, 1) || !exactly(c, given + at, b[0]))
            return -1;
        given[at + b[0]] = 0;
        bool known = !strcmp(given, user);
        if (!all(c, (unsigned char[]){1, !known}, 2) || !known)
            return -1;
    }
    if (!exactly(c, b, 4))
        return -1;
    unsigned char command = b[1], kind = b[3];
    if (kind == 3) {
        if (!exactly(c, b, 1) || !exactly(c, host, b[0]))
            return -1;
        host[b[0]] = 0;
    } else if (kind == 1 || kind == 4) {
        struct addr a = {.len = kind == 1 ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6)};
        a.ss.ss_family = kind == 1 ? AF_INET : AF_INET6;
        void *to = kind == 1 ? (void *)&((struct sockaddr_in *)(void *)&a.ss)->sin_addr
                             : (void *)&((struct sockaddr_in6 *)(void *)&a.ss)->sin6_addr;
        if (!exactly(c, to, kind == 1 ? 4 : 16) ||
            getnameinfo((struct sockaddr *)&a.ss, a.len, host, sizeof host, NULL, 0, NI_NUMERICHOST))
            return -1;
    }
    if (!exactly(c, b, 2))
        return -1;
    snprintf(port, sizeof port, "%d", b[0] << 8 | b[1]);
    snprintf(what, n, "SOCKS5 %s:%s", host, port);
    int s = command == 1 && *host ? reach(host, port) : -1;
    /* Which address it goes out by is nobody's business. */
    if (!all(c, (unsigned char[]){5, s < 0 ? 4 : 0, 0, 1, 0, 0, 0, 0, 0, 0}, 10) && s >= 0) {
        close(s);
        s = -1;
    }
    return s;
}

static void pump(int a, int b)
{
    struct pollfd pf[2] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
    char buf[65536];
    while (pf[0].fd >= 0 || pf[1].fd >= 0) {
        if (poll(pf, 2, -1) < 0 && errno != EINTR)
            return;
        for (int i = 0; i < 2; i++) {
            if (pf[i].fd < 0 || !pf[i].revents)
                continue;
            int from = i ? b : a, to = i ? a : b;
            ssize_t r = recv(from, buf, sizeof buf, 0);
            if (r < 0 || (r > 0 && !all(to, buf, (size_t)r)))
                return;
            if (r == 0) {
                shutdown(to, SHUT_WR);
                pf[i].fd = -1;
            }
        }
    }
}

static void *serve(void *arg)
{
    int c = (int)(intptr_t)arg;
    unsigned char first;
    char what[400] = "nothing";
    struct timeval limit = {10, 0};
    setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (recv(c, &first, 1, MSG_PEEK) == 1) {
        int s = first == 5 ? socks(c, what, sizeof what) : http(c, what, sizeof what);
        printf("%s %s\n", what, s < 0 ? "refused" : "open");
        if (s >= 0) {
            at_once(c);
            pump(c, s);
            close(s);
        }
    }
    close(c);
    return NULL;
}

int cmd_proxy(int argc, char **argv)
{
    struct option lo[] = {{"listen", 1, 0, 'l'}, {"user", 1, 0, 'u'}, {"help", 0, 0, 'h'}, {0, 0, 0, 0}};
    struct addr me = {.len = 0};
    int o, one = 1;
    while ((o = getopt_long(argc, argv, "l:u:h", lo, NULL)) != -1) {
        if (o == 'l')
            me = parse_addr("listen", optarg, false);
        else if (o == 'u')
            user = optarg;
        else {
            fprintf(o == 'h' ? stdout : stderr,
                    "usage: netlab proxy --listen [IP:]PORT [--user NAME:PASSWORD]\n"
                    "Takes HTTP CONNECT and SOCKS5 on one port, and prints a line for each request.\n");
            return o == 'h' ? 0 : 2;
        }
    }
    if (!me.len || optind < argc)
        die("--listen is needed (try 'netlab proxy --help')");
    if (user)
        basic = base64(user);
    signal(SIGPIPE, SIG_IGN);
    char b[100];
    int s = socket(me.ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (s < 0 || bind(s, (struct sockaddr *)&me.ss, me.len) < 0 || listen(s, 64) < 0)
        die("cannot listen on %s: %s", show(&me, b, sizeof b), strerror(errno));
    for (;;) {
        int c = accept(s, NULL, NULL);
        pthread_t t;
        if (c < 0)
            continue;
        if (pthread_create(&t, NULL, serve, (void *)(intptr_t)c))
            close(c);
        else
            pthread_detach(t);
    }
}
