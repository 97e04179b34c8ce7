/* Failures as a person and as a script see them: one line on standard error, and an exit code. */
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

int stoa_cli_exit_code(stoa_status status, const stoa_error *err) {
    switch (status) {
    case STOA_OK:
        return STOA_EXIT_OK;
    case STOA_IO:
        return STOA_EXIT_IO;
    case STOA_NOT_FOUND: /* a file that is missing is trouble with input, a table is a wrong name */
        return err != NULL && err->file[0] != '\0' ? STOA_EXIT_IO : STOA_EXIT_FAILED;
    case STOA_CORRUPT:
        return STOA_EXIT_CORRUPT;
    case STOA_CANCELLED:
        return STOA_EXIT_INTERRUPTED;
    default:
        return STOA_EXIT_FAILED;
    }
}

/* Scripts read lines: a message of several lines (a query with a mark under the mistake) is shown
 * whole to a person and cut to its first line for everybody else. */
static void print_message(const char *verb, const char *message) {
    size_t length = strlen(message);
    const char *newline = strchr(message, '\n');
    if (newline != NULL && !stoa_terminal_is(stderr)) {
        length = (size_t)(newline - message);
    }
    while (length > 0 && message[length - 1] == '\n') {
        length--;
    }
    if (verb == NULL) {
        (void)fprintf(stderr, "stoa: %.*s\n", (int)length, message);
    } else {
        (void)fprintf(stderr, "stoa: %s: %.*s\n", verb, (int)length, message);
    }
}

bool stoa_cli_reader_is_gone(void) {
    struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

int stoa_cli_fail(const char *verb, stoa_status status, const stoa_error *err) {
    if (status == STOA_IO && stoa_cli_reader_is_gone()) {
        return STOA_EXIT_PIPE;
    }
    if (status == STOA_CANCELLED) {
        print_message(verb, "interrupted");
    } else {
        print_message(verb, err->message[0] != '\0' ? err->message : stoa_status_name(status));
    }
    return stoa_cli_exit_code(status, err);
}

int stoa_cli_usage(const char *verb, const char *format, ...) {
    char message[1024];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    if (verb == NULL) {
        (void)fprintf(stderr, "stoa: %s (try 'stoa --help')\n", message);
    } else {
        (void)fprintf(stderr, "stoa: %s: %s (try 'stoa %s --help')\n", verb, message, verb);
    }
    return STOA_EXIT_USAGE;
}
