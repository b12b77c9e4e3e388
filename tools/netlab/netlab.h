/* What the parts of netlab share; netlab.c explains the program. */
#ifndef NETLAB_H
#define NETLAB_H

#include <stddef.h>
#include <stdbool.h>
#include <sys/socket.h>

struct addr {
    struct sockaddr_storage ss;
    socklen_t len;
};

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *fmt, ...);
__attribute__((format(printf, 1, 2))) void warn_(const char *fmt, ...);

/* "[IP]:PORT", "IP:PORT" or, unless a host is needed, "PORT"; ends the program when it is none of them. */
struct addr parse_addr(const char *opt, const char *s, bool need_host);
/* The address as text in buf, which is returned. */
const char *show(const struct addr *a, char *buf, size_t n);

int cmd_capture(int argc, char **argv);
int cmd_proxy(int argc, char **argv);

#endif
