/* Values stand one behind the other, without gaps for nulls: which of them are wanted is what the
 * selection has at the places of those rows that have a value. */
#include "parquet/read_select.h"

#include "base/bits.h"
#include "parquet/filter_kernel.h"

static stoa_status select_levels(const stoa_chunk_values *values, uint8_t max,
                                 const stoa_row_selection *rows, stoa_chunk_values *out,
                                 stoa_error *err) {
    if (values->all_present && out->all_present) {
        return STOA_OK;
    }
    if (out->all_present) {
        STOA_TRY(
            stoa_buffer_append_fill(&out->definition, max, (size_t)out->entry_count, err));
        out->all_present = false;
    }
    if (values->all_present) {
        return stoa_buffer_append_fill(&out->definition, max, (size_t)rows->selected, err);
    }
    STOA_TRY(stoa_buffer_reserve(&out->definition, (size_t)rows->selected, err));
    out->definition.size += (size_t)stoa_keep_fixed(values->definition.data, 1, rows->bits,
                                                      rows->row_count,
                                                      out->definition.data + out->definition.size);
    return STOA_OK;
}

static stoa_status select_booleans(const stoa_chunk_values *values, const uint8_t *bits,
                                   int64_t selected, stoa_chunk_values *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_buffer packed;
    stoa_buffer_init(&packed, out->data.pool);
    STOA_CHECK(stoa_buffer_resize(&packed, stoa_bitmap_bytes(selected), err));
    STOA_CHECK(
        stoa_buffer_resize(&out->data, stoa_bitmap_bytes(out->value_count + selected), err));
    (void)stoa_keep_bits(values->data.data, bits, values->value_count, packed.data);
    stoa_bitmap_copy(packed.data, 0, out->data.data, out->value_count, selected);

done:
    stoa_buffer_release(&packed);
    return status;
}

static stoa_status select_strings(const stoa_chunk_values *values, const uint8_t *bits,
                                  int64_t selected, stoa_chunk_values *out, stoa_error *err) {
    const int32_t *offsets = (const int32_t *)(const void *)values->offsets.data;
    const int64_t size = stoa_keep_lengths(offsets, bits, values->value_count);
    if (size > (int64_t)(INT32_MAX - out->data.size)) {
        return stoa_fail(err, STOA_LIMIT,
                         "more than 2 GiB of strings in one batch; ask for batches of fewer rows");
    }
    if (out->offsets.size == 0) {
        STOA_TRY(stoa_buffer_append_fill(&out->offsets, 0, sizeof(int32_t), err));
    }
    STOA_TRY(stoa_buffer_reserve(&out->offsets, (size_t)selected * sizeof(int32_t), err));
    STOA_TRY(stoa_buffer_reserve(&out->data, (size_t)size + 1, err));
    stoa_keep_strings(offsets, values->data.data, bits, values->value_count,
                        (int32_t)out->data.size,
                        (int32_t *)(void *)(out->offsets.data + out->offsets.size),
                        out->data.data + out->data.size);
    out->offsets.size += (size_t)selected * sizeof(int32_t);
    out->data.size += (size_t)size;
    return STOA_OK;
}

static stoa_status select_values(const stoa_chunk_values *values, size_t value_bytes,
                                 bool is_boolean, const uint8_t *bits, int64_t selected,
                                 stoa_chunk_values *out, stoa_error *err) {
    if (is_boolean) {
        return select_booleans(values, bits, selected, out, err);
    }
    if (value_bytes == 0) {
        return select_strings(values, bits, selected, out, err);
    }
    STOA_TRY(stoa_buffer_reserve(&out->data, (size_t)selected * value_bytes, err));
    (void)stoa_keep_fixed(values->data.data, value_bytes, bits, values->value_count,
                            out->data.data + out->data.size);
    out->data.size += (size_t)selected * value_bytes;
    return STOA_OK;
}

stoa_status stoa_read_select(const stoa_chunk_values *values, uint8_t definition_max,
                             size_t value_bytes, bool is_boolean, const stoa_row_selection *rows,
                             stoa_chunk_values *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    stoa_buffer present;
    const uint8_t *bits = rows->bits;
    int64_t selected = rows->selected;
    stoa_buffer_init(&present, out->data.pool);
    if (!values->all_present) {
        STOA_CHECK(stoa_buffer_resize(&present, stoa_bitmap_bytes(rows->row_count), err));
        stoa_match_levels(values->definition.data, rows->row_count, definition_max, present.data);
        const int64_t count = stoa_keep_bits(rows->bits, present.data, rows->row_count,
                                               present.data);
        STOA_ASSERT(count == values->value_count);
        bits = present.data;
        selected = stoa_bitmap_count(bits, 0, count);
    }
    STOA_CHECK(select_levels(values, definition_max, rows, out, err));
    out->entry_count += rows->selected;
    if (selected > 0) {
        STOA_CHECK(select_values(values, value_bytes, is_boolean, bits, selected, out, err));
        out->value_count += selected;
    }

done:
    stoa_buffer_release(&present);
    return status;
}

void stoa_read_select_levels(stoa_chunk_values *values, const stoa_row_selection *rows) {
    if (!values->all_present) {
        values->definition.size = (size_t)stoa_keep_fixed(values->definition.data, 1, rows->bits,
                                                            rows->row_count,
                                                            values->definition.data);
    }
    values->entry_count = rows->selected;
}
