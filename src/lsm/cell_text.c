/* Cells from texts, for programs whose users write values. What a text means is the business of
 * schema/value.c, so a key is written as a constant in a predicate is. */
#include "arrow/text.h"
#include "lsm/cell.h"
#include "schema/predicate.h"

/* Moves what the value points to into the storage, in place of what that held. */
static stoa_status keep(const stoa_value *value, stoa_buffer *storage, stoa_cell *out,
                        stoa_error *err) {
    const bool is_decimal = value->type.kind == STOA_TYPE_DECIMAL;
    const void *bytes = is_decimal ? (const void *)&value->decimal : value->bytes;
    const size_t size = is_decimal ? sizeof value->decimal : value->size;
    const char *view = NULL;
    stoa_buffer_clear(storage);
    STOA_TRY(stoa_buffer_append(storage, bytes, size, err));
    STOA_TRY(stoa_buffer_text(storage, &view, err));
    *out = (stoa_cell){.i = value->i, .f = value->f, .bytes = view, .size = size};
    return STOA_OK;
}

stoa_status stoa_cell_parse(const stoa_type *type, const char *text, size_t size,
                            stoa_text *storage, stoa_cell *out, stoa_error *err) {
    stoa_arena arena;
    stoa_value value;
    *out = (stoa_cell){.is_null = true};
    stoa_arena_init(&arena, storage->buffer.pool);
    stoa_status status = stoa_value_parse(&arena, type, text, size, &value, err);
    if (status == STOA_OK) {
        status = keep(&value, &storage->buffer, out, err);
    }
    stoa_arena_release(&arena);
    return status;
}
