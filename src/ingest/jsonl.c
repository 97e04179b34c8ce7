/* The engine's JSON reader names a line only in a sentence, and counts it from the start of what it
 * is given. So the first bad line is looked for: the block is halved until one line is left. That
 * costs about two more readings of one block, once, on the way to an error. */
#include "ingest/jsonl.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ingest/answer.h"
#include "ingest/columns.h"

static stoa_status print_reader(const stoa_text_block *block, stoa_buffer *sql, stoa_error *err) {
    return stoa_buffer_append_format(
        sql, err,
        "SELECT * FROM read_json('/proc/self/fd/%d', format = 'newline_delimited', "
        "compression = 'uncompressed', maximum_object_size = %zu",
        block->descriptor, block->size < 1 << 20 ? (size_t)1 << 20 : block->size + 64);
}

static stoa_status describe(stoa_session *session, const stoa_text_block *sample, bool maps,
                            const stoa_context *context, const stoa_schema **out, stoa_error *err) {
    const char *text = NULL;
    stoa_buffer sql;
    stoa_buffer_init(&sql, context->pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(print_reader(sample, &sql, err));
    STOA_CHECK(stoa_buffer_append_text(&sql, maps ? "" : ", map_inference_threshold = -1", err));
    STOA_CHECK(stoa_buffer_append_text(&sql, ") LIMIT 0", err));
    STOA_CHECK(stoa_buffer_text(&sql, &text, err));
    STOA_CHECK(stoa_ingest_describe(session, text, context, out, err));

done:
    stoa_buffer_release(&sql);
    return status;
}

stoa_status stoa_jsonl_find(stoa_session *session, const stoa_text_block *sample,
                            const stoa_context *context, const stoa_schema **out, stoa_error *err) {
    STOA_TRY(describe(session, sample, true, context, out, err));
    if (!stoa_ingest_is_one_map(*out)) {
        return STOA_OK;
    }
    stoa_schema_close(*out);
    return describe(session, sample, false, context, out, err);
}

stoa_status stoa_jsonl_options_print(const stoa_schema *found, const stoa_schema *target,
                                     stoa_pool *pool, stoa_buffer *sql, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_text(sql, ", columns = {", err));
    STOA_TRY(stoa_ingest_columns_print(found, target, STOA_COLUMNS_UNION, pool, sql, err));
    return stoa_buffer_append_byte(sql, '}', err);
}

stoa_status stoa_jsonl_query_print(const char *options, const stoa_text_block *block,
                                   stoa_buffer *sql, stoa_error *err) {
    STOA_TRY(print_reader(block, sql, err));
    STOA_TRY(stoa_buffer_append_text(sql, options, err));
    return stoa_buffer_append_byte(sql, ')', err);
}

/* Reads bytes [begin, end) of `block` by way of `part`. */
static stoa_status try_bytes(stoa_session *session, const char *options,
                             const stoa_text_block *block, size_t begin, size_t end,
                             stoa_text_block *part, const stoa_context *context, stoa_error *err) {
    const char *text = NULL;
    stoa_buffer sql;
    STOA_TRY(stoa_text_block_reserve(part, end - begin, err));
    memcpy(part->bytes, block->bytes + begin, end - begin);
    part->size = end - begin;
    STOA_TRY(stoa_text_block_seal(part, err));
    stoa_buffer_init(&sql, context->pool);
    stoa_status status = stoa_jsonl_query_print(options, part, &sql, err);
    if (status == STOA_OK) {
        status = stoa_buffer_text(&sql, &text, err);
    }
    if (status == STOA_OK) {
        status = stoa_ingest_run(session, text, context, err);
    }
    stoa_buffer_release(&sql);
    return status;
}

/* The reader's file is one that nobody knows; its line is always the first. */
static void tidy(const stoa_text_block *part, stoa_error *err) {
    char path[64];
    err->message[strcspn(err->message, "\n")] = '\0';
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", part->descriptor);
    char *named = strstr(err->message, path);
    char *reason = named == NULL ? NULL : strstr(named, ": ");
    if (reason != NULL) {
        memmove(err->message, reason + 2, strlen(reason + 2) + 1);
    }
    char *hint = strstr(err->message, " Try ");
    if (hint != NULL) {
        (void)snprintf(hint, sizeof err->message - (size_t)(hint - err->message), "%s",
                       " (--schema gives the columns and their types)");
    }
}

stoa_status stoa_jsonl_first_bad_line(stoa_session *session, const char *options,
                                      const stoa_text_block *block, const stoa_context *context,
                                      stoa_error *err) {
    static const stoa_ingest_cut lines = {.end = '\n'};
    stoa_text_block part = {.pool = context->pool};
    stoa_error found = STOA_ERROR_NONE;
    stoa_status status = STOA_OK;
    size_t begin = 0;
    size_t end = block->size;
    for (;;) {
        /* Bytes before `begin` are fine; what is bad lies before `end`. */
        size_t half = begin + (end - begin) / 2;
        size_t cut = begin + stoa_ingest_cut_kernel(&lines, block->bytes + begin, half - begin);
        if (cut == begin) {
            const uint8_t *next = memchr(block->bytes + half, '\n', end - half);
            cut = next == NULL ? end : (size_t)(next - block->bytes) + 1;
        }
        status = try_bytes(session, options, block, begin, cut, &part, context, &found);
        if (status != STOA_OK && status != STOA_INVALID) {
            break;
        }
        if (status == STOA_OK && cut == end) {
            break; /* each half is fine by itself */
        }
        begin = status == STOA_OK ? cut : begin;
        end = status == STOA_OK ? end : cut;
        if (status == STOA_INVALID && memchr(block->bytes + begin, '\n', end - begin - 1) == NULL) {
            break;
        }
    }
    if (status != STOA_OK && err != NULL) {
        *err = found;
        tidy(&part, err);
        err->line = block->first_line + stoa_ingest_count_kernel(block->bytes, begin, '\n');
    }
    stoa_text_block_release(&part);
    return status;
}
