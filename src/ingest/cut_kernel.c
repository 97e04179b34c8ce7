/* Cutting at record ends. Bytes outside quotes are skipped with memchr, so that a text without quotes
 * costs one look from its end; each quoted field costs two short searches.
 *
 * A parity of quotes would be faster for texts full of them, and wrong: a quote within a field that
 * did not begin with one ("5\" disk") means nothing. */
#include "ingest/cut_kernel.h"

#include <stdbool.h>
#include <string.h>

/* True when a quote at `at` begins a field: only spaces lie between it and the last separator. */
static bool opens(const stoa_ingest_cut *cut, const uint8_t *bytes, size_t at) {
    while (at > 0 && bytes[at - 1] == ' ' && cut->delimiter != ' ') {
        at--;
    }
    return at == 0 || bytes[at - 1] == cut->delimiter || bytes[at - 1] == '\n' ||
           bytes[at - 1] == '\r';
}

/* Where the field that was opened before `from` is closed (past its quote); `size` when it is not. */
static size_t closed_at(const stoa_ingest_cut *cut, const uint8_t *bytes, size_t size,
                        size_t from) {
    while (from < size) {
        const uint8_t *found = memchr(bytes + from, cut->quote, size - from);
        if (found == NULL) {
            return size;
        }
        size_t at = (size_t)(found - bytes);
        if (cut->escape == cut->quote) {
            if (at + 1 == size) {
                return size; /* the first half of a doubled quote, for all that can be seen */
            }
            if (bytes[at + 1] != cut->quote) {
                return at + 1;
            }
            from = at + 2;
            continue;
        }
        size_t escapes = 0;
        while (cut->escape != 0 && at - escapes > from && bytes[at - escapes - 1] == cut->escape) {
            escapes++;
        }
        if (escapes % 2 == 0) {
            return at + 1;
        }
        from = at + 1;
    }
    return size;
}

static size_t last_end(const stoa_ingest_cut *cut, const uint8_t *bytes, size_t from, size_t to,
                       size_t otherwise) {
    const uint8_t *found = from < to ? memrchr(bytes + from, cut->end, to - from) : NULL;
    return found == NULL ? otherwise : (size_t)(found - bytes) + 1;
}

size_t stoa_ingest_cut_kernel(const stoa_ingest_cut *cut, const uint8_t *bytes, size_t size) {
    size_t whole = 0;
    size_t plain = 0; /* where the stretch without quoted fields begins */
    size_t at = 0;
    while (cut->quote != 0 && at < size) {
        const uint8_t *found = memchr(bytes + at, cut->quote, size - at);
        if (found == NULL) {
            break;
        }
        size_t quote = (size_t)(found - bytes);
        at = quote + 1;
        if (opens(cut, bytes, quote)) {
            whole = last_end(cut, bytes, plain, quote, whole);
            at = closed_at(cut, bytes, size, at);
            plain = at;
        }
    }
    return last_end(cut, bytes, plain, size, whole);
}

int64_t stoa_ingest_count_kernel(const uint8_t *bytes, size_t size, uint8_t byte) {
    int64_t count = 0;
    while (size > 0) {
        size_t stretch = size < 1 << 16 ? size : 1 << 16;
        uint32_t part = 0;
        for (size_t i = 0; i < stretch; i++) {
            part += bytes[i] == byte;
        }
        count += part;
        bytes += stretch;
        size -= stretch;
    }
    return count;
}
