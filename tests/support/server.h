/* Servers that a test starts on loopback, and that end with it whatever happens. */
#ifndef STOA_TESTS_SERVER_H
#define STOA_TESTS_SERVER_H

#include <sys/types.h>

typedef struct support_server {
    pid_t process;
    int input;    /* the server ends when this is closed, also by our death */
    int port;     /* the first of them */
    int ports[4]; /* 0 where there are fewer */
} support_server;

/// Starts a program (argv, NULL at the end) that prints "port N…" when it listens and ends with its
/// standard input; the system chooses the port. The test is left out (exit status 77) where the
/// program is not installed.
void support_server_open(support_server *server, const char *const *argv);
/// tests/support/http_server.py
void support_server_open_http(support_server *server);
void support_server_close(support_server *server);

#endif
