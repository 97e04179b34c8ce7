/* How much memory a program gives to Stoa, as people write it: "512MB", "2GiB". */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/checked.h"
#include "base/error.h"
#include "mem/pool.h"

struct unit {
    const char *name;
    size_t bytes;
};

static const struct unit units[] = {
    {"", 1},
    {"B", 1},
    {"K", 1024},
    {"KiB", 1024},
    {"KB", 1000},
    {"M", 1u << 20},
    {"MiB", 1u << 20},
    {"MB", 1000000},
    {"G", 1u << 30},
    {"GiB", 1u << 30},
    {"GB", 1000000000},
    {"T", (size_t)1 << 40},
    {"TiB", (size_t)1 << 40},
    {"TB", 1000000000000},
};

/* True when `text`, but for blanks at its end, is `name` in any case. */
static bool is_unit(const char *text, const char *name) {
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1])) {
        length--;
    }
    return length == strlen(name) && strncasecmp(text, name, length) == 0;
}

static const char *skip_blanks(const char *text) {
    while (isspace((unsigned char)*text)) {
        text++;
    }
    return text;
}

stoa_status stoa_memory_size_parse(const char *text, size_t *out, stoa_error *err) {
    const char *start = skip_blanks(text);
    char *end = NULL;
    errno = 0;
    unsigned long long number = isdigit((unsigned char)*start) ? strtoull(start, &end, 10) : 0;
    if (end != NULL && errno == 0) {
        const char *unit = skip_blanks(end);
        size_t size;
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            if (is_unit(unit, units[i].name) &&
                stoa_mul_size((size_t)number, units[i].bytes, &size)) {
                *out = size;
                return STOA_OK;
            }
        }
    }
    return stoa_fail(err, STOA_INVALID,
                     "expected a size such as 512MB, 2GiB or a number of bytes but found '%s'",
                     text);
}

stoa_status stoa_memory_limit_default(size_t *out, stoa_error *err) {
    const char *text = getenv("STOA_MEMORY");
    if (text == NULL || text[0] == '\0') {
        *out = (size_t)1 << 30;
        return STOA_OK;
    }
    stoa_status status = stoa_memory_size_parse(text, out, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "STOA_MEMORY");
    }
    return status;
}
