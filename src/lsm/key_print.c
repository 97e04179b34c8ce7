/* Keys as text, for messages and listings. */
#include <string.h>

#include "arrow/print.h"
#include "lsm/key.h"
#include "lsm/key_bytes.h"
#include "schema/schema.h"

static stoa_status print_part(const stoa_key_part *part, stoa_pool *pool,
                              const struct ArrowArray *array, stoa_buffer *out, stoa_error *err) {
    struct ArrowSchema twin;
    STOA_TRY(stoa_field_to_arrow(pool, part->field, &twin, err));
    const stoa_status status = stoa_arrow_value_print(&twin, array, 0, STOA_PRINT_JSON, out, err);
    stoa_arrow_schema_release(&twin);
    return status;
}

static stoa_status print_parts(const stoa_key_format *format, stoa_pool *pool,
                               const struct ArrowArray *arrays, stoa_buffer *out, stoa_error *err) {
    STOA_TRY(stoa_buffer_append_byte(out, '(', err));
    for (int32_t i = 0; i < format->part_count; i++) {
        if (i > 0) {
            STOA_TRY(stoa_buffer_append_text(out, ", ", err));
        }
        STOA_TRY(print_part(&format->parts[i], pool, &arrays[i], out, err));
    }
    return stoa_buffer_append_byte(out, ')', err);
}

stoa_status stoa_key_print(const stoa_key_format *format, stoa_pool *pool, const uint8_t *bytes,
                           size_t size, stoa_buffer *out, stoa_error *err) {
    if (format->fixed_bytes != 0 && size != (size_t)format->fixed_bytes) {
        return stoa_fail(err, STOA_CORRUPT, "expected a key of %d bytes but found %zu",
                         format->fixed_bytes, size);
    }
    const uint64_t number = format->is_number ? stoa_key_get_number(bytes, (int32_t)size) : 0;
    const uint32_t offsets[2] = {0, (uint32_t)size};
    const stoa_keys_view view = {1, &number, bytes, offsets};
    struct ArrowArray arrays[STOA_KEY_PARTS_MAX];
    const size_t before = out->size;
    STOA_TRY(stoa_keys_decode(format, pool, &view, arrays, err));
    const stoa_status status = print_parts(format, pool, arrays, out, err);
    for (int32_t i = 0; i < format->part_count; i++) {
        stoa_arrow_array_release(&arrays[i]);
    }
    if (status != STOA_OK) {
        out->size = before;
    }
    return status;
}
