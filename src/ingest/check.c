/* Looking at files before the engine reads them, for what its readers do in silence:
 *
 * - its JSON parser recurses into nested values without a limit and overflows the stack of its
 *   thread somewhere beyond 10,000 levels;
 * - its CSV reader, when the first lines have other columns than those below, begins further down.
 *
 * Called by csv.c and inputs.c. */
#include "ingest/check.h"

#include <string.h>

#include "base/error.h"
#include "mem/pool.h"
#include "vfs/vfs.h"

enum { CHUNK_BYTES = 1 << 18, DEPTH_MAX = 1000 };

struct nesting {
    int depth;
    bool in_string;
    bool escaped; /* the next byte belongs to a backslash before it */
    int64_t line;
};

/* Skips what lies within a string; returns where it goes on. */
static size_t skip_string(struct nesting *at, const uint8_t *bytes, size_t size, size_t i) {
    for (; i < size; i++) {
        if (at->escaped) {
            at->escaped = false;
        } else if (bytes[i] == '\\') {
            at->escaped = true;
        } else if (bytes[i] == '"') {
            at->in_string = false;
            return i + 1;
        } else if (bytes[i] == '\n') {
            at->line++;
        }
    }
    return size;
}

static stoa_status count_nesting(struct nesting *at, const uint8_t *bytes, size_t size,
                                 stoa_error *err) {
    for (size_t i = 0; i < size;) {
        if (at->in_string) {
            i = skip_string(at, bytes, size, i);
            continue;
        }
        uint8_t byte = bytes[i++];
        if (byte == '"') {
            at->in_string = true;
        } else if (byte == '[' || byte == '{') {
            if (++at->depth > DEPTH_MAX) {
                if (err != NULL) {
                    err->line = at->line;
                }
                return stoa_fail(err, STOA_LIMIT,
                                 "line %" PRId64 ": expected values nested at most %d levels deep",
                                 at->line, DEPTH_MAX);
            }
        } else if (byte == ']' || byte == '}') {
            at->depth -= at->depth > 0;
        } else if (byte == '\n') {
            at->line++;
        }
    }
    return STOA_OK;
}

stoa_status stoa_ingest_check_json(stoa_file *file, const stoa_context *context,
                                   uint64_t *out_mark_bytes, stoa_error *err) {
    struct nesting at = {.line = 1};
    void *buffer = NULL;
    uint64_t offset = 0;
    *out_mark_bytes = 0;
    STOA_TRY(stoa_pool_allocate(context->pool, CHUNK_BYTES, &buffer, err));
    stoa_status status = STOA_OK;
    stoa_file_advise(file, 0, 0, STOA_ADVICE_SEQUENTIAL);
    for (;;) {
        size_t size = 0;
        STOA_CHECK(stoa_file_read_some(file, offset, buffer, CHUNK_BYTES, &size, err));
        if (size == 0) {
            break;
        }
        if (offset == 0 && size >= 3 && memcmp(buffer, "\xEF\xBB\xBF", 3) == 0) {
            *out_mark_bytes = 3;
        }
        STOA_CHECK(count_nesting(&at, buffer, size, err));
        STOA_CHECK(stoa_cancel_check(context->cancel, err));
        offset += size;
    }

done:
    stoa_pool_free(context->pool, buffer, CHUNK_BYTES);
    return status;
}

/* The number of the first of `count` lines that is neither empty nor a comment; 0 for none. Lines
 * beyond what one read brings count as told by the engine. */
static int64_t first_lost_line(const uint8_t *bytes, size_t size, int64_t count) {
    size_t i = size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    for (int64_t line = 1; line <= count && i < size; line++) {
        const uint8_t *end = memchr(bytes + i, '\n', size - i);
        size_t next = end == NULL ? size : (size_t)(end - bytes) + 1;
        while (i < next && (bytes[i] == ' ' || bytes[i] == '\r' || bytes[i] == '\t')) {
            i++;
        }
        if (i < next && bytes[i] != '\n' && bytes[i] != '#') {
            return line;
        }
        i = next;
    }
    return 0;
}

static stoa_status fail_lost(const stoa_ingest_input *input, int64_t lost, int64_t skipped,
                             stoa_error *err) {
    if (lost == 0) {
        return STOA_OK;
    }
    stoa_fail(err, STOA_INVALID,
              "reading '%s': line %" PRId64 ": expected the columns that line %" PRId64
              " and those below it have but found others",
              input->name, lost, skipped + 1);
    stoa_error_set_file(err, input->name, -1);
    if (err != NULL) {
        err->line = lost;
    }
    return STOA_INVALID;
}

stoa_status stoa_ingest_check_skipped(const stoa_ingest_input *input, const uint8_t *bytes,
                                      size_t size, int64_t skipped, stoa_error *err) {
    return fail_lost(input, first_lost_line(bytes, size, skipped), skipped, err);
}
