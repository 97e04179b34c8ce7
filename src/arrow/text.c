/* Texts for programs: a growable buffer behind a handle, filled by the printers of print.h. */
#include "arrow/text.h"

#include "arrow/access.h"
#include "arrow/print.h"

stoa_status stoa_text_create(stoa_pool *pool, stoa_text **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_text), &memory, err));
    *out = memory;
    stoa_buffer_init(&(*out)->buffer, pool);
    return STOA_OK;
}

void stoa_text_close(stoa_text *text) {
    if (text != NULL) {
        stoa_pool *pool = text->buffer.pool;
        stoa_buffer_release(&text->buffer);
        stoa_pool_free(pool, text, sizeof *text);
    }
}

const char *stoa_text_view(const stoa_text *text, size_t *out_size) {
    if (out_size != NULL) {
        *out_size = text->buffer.size;
    }
    return text->buffer.data == NULL ? "" : (const char *)text->buffer.data;
}

static stoa_status terminate(stoa_text *text, stoa_error *err) {
    const char *view = NULL;
    return stoa_buffer_text(&text->buffer, &view, err);
}

stoa_status stoa_text_value(stoa_text *out, const struct ArrowSchema *schema,
                            const struct ArrowArray *array, int64_t row, stoa_text_style style,
                            stoa_error *err) {
    stoa_buffer_clear(&out->buffer);
    STOA_TRY(stoa_arrow_value_print(schema, array, row,
                                    style == STOA_TEXT_JSON ? STOA_PRINT_JSON : STOA_PRINT_TEXT,
                                    &out->buffer, err));
    return terminate(out, err);
}

stoa_status stoa_text_arrow_type(stoa_text *out, const struct ArrowSchema *schema,
                                 stoa_error *err) {
    stoa_buffer_clear(&out->buffer);
    STOA_TRY(stoa_arrow_type_print(schema, &out->buffer, err));
    return terminate(out, err);
}

bool stoa_value_is_null(const struct ArrowSchema *schema, const struct ArrowArray *array,
                        int64_t row) {
    bool is_null = false;
    stoa_arrow_cursor at;
    return stoa_arrow_cursor_init(schema, array, row, &at, NULL) == STOA_OK &&
           stoa_arrow_cursor_resolve(&at, &is_null, NULL) == STOA_OK && is_null;
}
