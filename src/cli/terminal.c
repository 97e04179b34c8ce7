/* What a terminal can do, how wide text is on it, and Ctrl-C. */
#include <langinfo.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <utf8proc.h>

#include "cli.h"

/* The one writable global of the command: a signal handler can reach nothing else. */
static _Atomic(stoa_cancel *) interrupt_target;

bool stoa_terminal_is(FILE *stream) {
    return isatty(fileno(stream)) == 1;
}

int stoa_terminal_width(void) {
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    const char *columns = getenv("COLUMNS");
    int width = columns == NULL ? 0 : atoi(columns);
    return width > 0 ? width : 0;
}

bool stoa_terminal_color(FILE *stream) {
    const char *none = getenv("NO_COLOR");
    const char *terminal = getenv("TERM");
    return stoa_terminal_is(stream) && (none == NULL || none[0] == '\0') &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

bool stoa_terminal_unicode(void) {
    const char *codeset = nl_langinfo(CODESET);
    return codeset != NULL && (strcmp(codeset, "UTF-8") == 0 || strcmp(codeset, "utf8") == 0);
}

/* Width of the next character and its size in bytes; bytes that are no UTF-8 count one each. */
static int next_width(const char *text, size_t size, size_t *out_size) {
    utf8proc_int32_t point = 0;
    utf8proc_ssize_t taken =
        utf8proc_iterate((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)size, &point);
    if (taken <= 0) {
        *out_size = 1;
        return 1;
    }
    *out_size = (size_t)taken;
    return point < 0x20 || point == 0x7F ? 1 : utf8proc_charwidth(point);
}

int stoa_text_width(const char *text, size_t size) {
    int width = 0;
    for (size_t i = 0, step; i < size; i += step) {
        width += next_width(text + i, size - i, &step);
    }
    return width;
}

size_t stoa_text_prefix(const char *text, size_t size, int columns) {
    int width = 0;
    size_t i = 0;
    while (i < size) {
        size_t step;
        int character = next_width(text + i, size - i, &step);
        if (width + character > columns) {
            break;
        }
        width += character;
        i += step;
    }
    return i;
}

static void on_interrupt(int number) {
    stoa_cancel *cancel = atomic_load_explicit(&interrupt_target, memory_order_relaxed);
    if (cancel == NULL || stoa_cancel_is_triggered(cancel)) {
        (void)signal(number, SIG_DFL); /* asked twice: end at once */
        (void)raise(number);
        return;
    }
    stoa_cancel_trigger(cancel);
}

void stoa_interrupt_set(stoa_cancel *cancel) {
    atomic_store_explicit(&interrupt_target, cancel, memory_order_relaxed);
}

stoa_status stoa_interrupt_install(stoa_cancel **out, stoa_error *err) {
    stoa_status status = stoa_cancel_create(NULL, out, err);
    if (status != STOA_OK) {
        return status;
    }
    stoa_interrupt_set(*out);
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    return STOA_OK;
}
