/* Assertions that show Stoa's own message when they fail. */
#include "support.h"

#include <string.h>

void support_assert_ok(stoa_status status, const stoa_error *err, const char *call,
                       const char *file, int line) {
    if (status != STOA_OK) {
        print_error("%s:%d: %s\n    expected ok but found %s: %s\n", file, line, call,
                    stoa_status_name(status), err->message);
        _fail(file, line);
    }
}

void support_assert_fails(stoa_status status, stoa_status wanted, const char *text,
                          const stoa_error *err, const char *call, const char *file, int line) {
    if (status != wanted) {
        print_error("%s:%d: %s\n    expected %s but found %s: %s\n", file, line, call,
                    stoa_status_name(wanted), stoa_status_name(status), err->message);
        _fail(file, line);
    }
    if (err->status != status || err->message[0] == '\0') {
        print_error("%s:%d: %s\n    the error says '%s': %s\n", file, line, call,
                    stoa_status_name(err->status), err->message);
        _fail(file, line);
    }
    if (text != NULL && strstr(err->message, text) == NULL) {
        print_error("%s:%d: %s\n    expected a message with '%s' but found: %s\n", file, line, call,
                    text, err->message);
        _fail(file, line);
    }
}
