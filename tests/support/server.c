/* Servers for tests: a child process, its standard input to keep it alive, its standard output to
 * learn the port from. */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_LEFT_OUT = 77, EXIT_NOT_FOUND = 127 };

static void die(const char *what) {
    (void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static void run_child(const char *const *argv, const int input[2], const int output[2]) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)dup2(input[0], STDIN_FILENO);
    (void)dup2(output[1], STDOUT_FILENO);
    (void)execvp(argv[0], (char *const *)(uintptr_t)argv);
    _exit(EXIT_NOT_FOUND);
}

static void read_ports(int output, int ports[4]) {
    char line[64] = "";
    size_t size = 0;
    while (size + 1 < sizeof line && strchr(line, '\n') == NULL) {
        ssize_t got = read(output, line + size, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return;
        }
        size++;
    }
    (void)sscanf(line, "port %5d %5d %5d %5d", &ports[0], &ports[1], &ports[2], &ports[3]);
}

void support_server_open(support_server *server, const char *const *argv) {
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
        die("pipe");
    }
    server->process = fork();
    if (server->process < 0) {
        die("fork");
    }
    if (server->process == 0) {
        run_child(argv, input, output);
    }
    (void)close(input[0]);
    (void)close(output[1]);
    server->input = input[1];
    memset(server->ports, 0, sizeof server->ports);
    read_ports(output[0], server->ports);
    server->port = server->ports[0];
    (void)close(output[0]);
    if (server->port == 0) {
        int status = 0;
        (void)close(server->input);
        (void)waitpid(server->process, &status, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND) {
            (void)printf("left out: %s is not installed\n", argv[0]);
            exit(EXIT_LEFT_OUT);
        }
        (void)fprintf(stderr, "%s does not start\n", argv[0]);
        exit(1);
    }
}

void support_server_open_http(support_server *server) {
    static const char *const argv[] = {"python3", "tests/support/http_server.py", NULL};
    support_server_open(server, argv);
}

void support_server_close(support_server *server) {
    int status;
    (void)close(server->input);
    (void)waitpid(server->process, &status, 0);
    *server = (support_server){0};
}
