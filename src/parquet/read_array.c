/* A leaf's values stand one after the other. First they become what Arrow holds (narrower, wider), all
 * of them; then they are moved apart where nulls lie between them. Structs, lists and maps take their
 * validity and offsets from the levels of the first leaf below them; the other leaves must agree in
 * how many slots that makes. */
#include "parquet/read_array.h"

#include "arrow/owner.h"
#include "base/bits.h"
#include "codec/plain.h"
#include "parquet/read_kernel.h"
#include "parquet/read_variant.h"
#include "parquet/slot_kernel.h"

#define NANOSECONDS_A_SECOND INT64_C(1000000000)

/* ---- Stored values into Arrow's -------------------------------------------------------------- */

static stoa_status fail_value(const char *what, int64_t place, stoa_error *err) {
    return stoa_fail(err, STOA_INVALID, "value %" PRId64 " of the batch: %s", place, what);
}

/* Nanoseconds end in 2262, so that dates without an end come from Spark beyond them; coarser units hold
 * every day that INT96 has. */
static stoa_status widen_int96(const stoa_read_array_options *options, const uint8_t *values,
                               size_t count, uint8_t *out, stoa_error *err) {
    const size_t fitting = stoa_int96_to_ticks(values, count, options->int96_ticks_per_second,
                                               (int64_t *)(void *)out);
    if (fitting < count) {
        return fail_value(options->int96_ticks_per_second == NANOSECONDS_A_SECOND
                              ? "an INT96 timestamp outside the years 1677 to 2262, which nanoseconds "
                                "hold: read it with --int96 us"
                              : "an INT96 timestamp that 64 bits of its unit do not hold",
                          (int64_t)fitting, err);
    }
    return STOA_OK;
}

/* Numbers longer than 16 bytes must be so by their sign alone. */
static bool shorten(const uint8_t **bytes, size_t *size) {
    while (*size > 16) {
        const uint8_t sign = ((*bytes)[1] & 0x80) != 0 ? 0xFF : 0;
        if ((*bytes)[0] != sign) {
            return false;
        }
        (*bytes)++;
        (*size)--;
    }
    return true;
}

static stoa_status load_decimals(const stoa_read_node *node, const stoa_chunk_values *values,
                                 uint8_t *out, stoa_error *err) {
    const int32_t *offsets = (const int32_t *)(const void *)values->offsets.data;
    for (int64_t i = 0; i < values->value_count; i++) {
        const bool is_fixed = node->value_class == STOA_READ_DECIMAL_FIXED;
        size_t size = is_fixed ? (size_t)node->value_bytes : (size_t)(offsets[i + 1] - offsets[i]);
        const uint8_t *bytes = values->data.data +
                               (is_fixed ? (size_t)i * size : (size_t)offsets[i]);
        if (!shorten(&bytes, &size)) {
            return fail_value("a decimal of more than 128 bits", i, err);
        }
        stoa_decimal_load(bytes, size, out + 16 * i);
    }
    return STOA_OK;
}

/* Bytes of a value in Arrow where it is converted into memory of its own; 0 where it is not. */
static size_t converted_bytes(stoa_read_class value_class) {
    switch (value_class) {
    case STOA_READ_DECIMAL_I32:
    case STOA_READ_DECIMAL_I64:
    case STOA_READ_DECIMAL_FIXED:
    case STOA_READ_DECIMAL_BYTES:
    case STOA_READ_INTERVAL: return 16;
    case STOA_READ_INT96: return 8;
    case STOA_READ_FLOAT16: return 4;
    default: return 0;
    }
}

static stoa_status convert_into(const stoa_read_node *node, const stoa_read_array_options *options,
                                const stoa_chunk_values *values, uint8_t *out, stoa_error *err) {
    const uint8_t *data = values->data.data;
    const int64_t count = values->value_count;
    switch (node->value_class) {
    case STOA_READ_DECIMAL_I32: stoa_widen_i32_i128(data, count, out); return STOA_OK;
    case STOA_READ_DECIMAL_I64: stoa_widen_i64_i128(data, count, out); return STOA_OK;
    case STOA_READ_INT96: return widen_int96(options, data, (size_t)count, out, err);
    case STOA_READ_FLOAT16: stoa_widen_half_float(data, count, out); return STOA_OK;
    case STOA_READ_INTERVAL: {
        const int64_t fitting = stoa_widen_interval(data, count, out);
        return fitting == count
                   ? STOA_OK
                   : fail_value("an interval of more than 2^31 months or days", fitting, err);
    }
    default: return load_decimals(node, values, out, err);
    }
}

static stoa_status convert(const stoa_read_node *node, const stoa_read_array_options *options,
                           stoa_chunk_values *values, stoa_error *err) {
    const size_t width = converted_bytes(node->value_class);
    const size_t count = (size_t)values->value_count;
    if (node->value_class == STOA_READ_NARROW_1) {
        stoa_narrow_1(values->data.data, values->value_count);
        values->data.size = count;
    } else if (node->value_class == STOA_READ_NARROW_2) {
        stoa_narrow_2(values->data.data, values->value_count);
        values->data.size = count * 2;
    }
    if (width == 0 || count == 0) {
        return STOA_OK;
    }
    stoa_buffer wide;
    stoa_buffer_init(&wide, values->data.pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_buffer_reserve_exact(&wide,
                                         values->entry_count > values->value_count
                                             ? (size_t)values->entry_count * width
                                             : count * width,
                                         err));
    wide.size = count * width;
    STOA_CHECK(convert_into(node, options, values, wide.data, err));
    stoa_buffer_release(&values->data);
    values->data = stoa_buffer_move(&wide);

done:
    stoa_buffer_release(&wide);
    return status;
}

/* ---- Leaves ---------------------------------------------------------------------------------- */

static stoa_slot_rule rule_of(const stoa_read_node *node, const stoa_chunk_values *values) {
    return (stoa_slot_rule){.definition = values->definition.data,
                            .repetition = values->repetition.size > 0 ? values->repetition.data
                                                                      : NULL,
                            .entry_count = values->entry_count,
                            .slot_repetition = node->slot_repetition,
                            .slot_definition = node->slot_definition,
                            .present_definition = node->present_definition,
                            .item_definition = node->item_definition};
}

static bool is_bytes(const stoa_read_node *node) {
    return node->value_class == STOA_READ_BYTES;
}

static size_t arrow_bytes(const stoa_read_node *node) {
    const size_t converted = converted_bytes(node->value_class);
    return converted > 0                             ? converted
           : node->value_class == STOA_READ_NARROW_1 ? 1
           : node->value_class == STOA_READ_NARROW_2 ? 2
                                                     : (size_t)node->value_bytes;
}

static stoa_status spread_values(const stoa_read_node *node, stoa_chunk_values *values,
                                 const uint8_t *validity, int64_t slots, stoa_error *err) {
    const int64_t count = values->value_count;
    if (is_bytes(node)) {
        STOA_TRY(stoa_buffer_resize(&values->offsets, ((size_t)slots + 1) * sizeof(int32_t), err));
        stoa_spread_offsets((int32_t *)(void *)values->offsets.data, count, validity, slots);
    } else if (node->value_class == STOA_READ_BOOL) {
        STOA_TRY(stoa_buffer_resize(&values->data, stoa_bitmap_bytes(slots), err));
        stoa_spread_bits(values->data.data, count, validity, slots);
    } else {
        const size_t width = arrow_bytes(node);
        STOA_TRY(
            stoa_buffer_reserve(&values->data, (size_t)slots * width - values->data.size, err));
        stoa_spread_fixed(values->data.data, width, count, validity, slots);
        values->data.size = (size_t)slots * width;
    }
    return STOA_OK;
}

static stoa_status null_array(stoa_pool *pool, int64_t length, struct ArrowArray *out,
                              stoa_error *err) {
    STOA_TRY(stoa_arrow_array_init(pool, 0, 0, false, out, err));
    out->length = length;
    out->null_count = length;
    return STOA_OK;
}

static stoa_status fill_leaf(stoa_pool *pool, const stoa_read_node *node, stoa_chunk_values *values,
                             stoa_buffer *validity, int64_t slots, struct ArrowArray *dictionary,
                             struct ArrowArray *out, stoa_error *err) {
    if (node->value_class == STOA_READ_NULL) {
        return null_array(pool, slots, out, err);
    }
    const int64_t nulls = slots - values->value_count;
    if (nulls > 0) {
        STOA_TRY(spread_values(node, values, validity->data, slots, err));
    } else if (is_bytes(node) && values->offsets.size == 0) {
        STOA_TRY(stoa_buffer_resize(&values->offsets, sizeof(int32_t), err));
    }
    STOA_TRY(stoa_arrow_array_init(pool, is_bytes(node) ? 3 : 2, 0, dictionary != NULL, out, err));
    if (dictionary != NULL) {
        *out->dictionary = *dictionary;
        dictionary->release = NULL;
    }
    out->length = slots;
    out->null_count = nulls;
    if (nulls > 0) {
        stoa_arrow_array_set_buffer(out, 0, validity);
    }
    if (is_bytes(node)) {
        stoa_arrow_array_set_buffer(out, 1, &values->offsets);
    }
    stoa_arrow_array_set_buffer(out, is_bytes(node) ? 2 : 1, &values->data);
    return STOA_OK;
}

/* Entries that have a value have a slot: the highest definition is no less than the slot's. So there
 * are never more values than slots. */
static stoa_status leaf_array(stoa_pool *pool, const stoa_read_node *node,
                              const stoa_read_array_options *options, stoa_chunk_values *values,
                              struct ArrowArray *dictionary, struct ArrowArray *out,
                              stoa_error *err) {
    stoa_status status = STOA_OK;
    int64_t slots = values->entry_count;
    stoa_buffer validity;
    stoa_buffer_init(&validity, pool);
    *out = (struct ArrowArray){0};
    if (node->value_class != STOA_READ_NULL) {
        STOA_CHECK(convert(node, options, values, err));
    }
    if (!values->all_present) {
        int64_t present;
        const stoa_slot_rule rule = rule_of(node, values);
        STOA_CHECK(stoa_buffer_reserve(&validity, stoa_bitmap_bytes(values->entry_count), err));
        slots = stoa_slots_validity(stoa_cpu_level(), &rule, validity.data, &present);
        STOA_ASSERT(node->value_class == STOA_READ_NULL || present == values->value_count);
        validity.size = stoa_bitmap_bytes(slots);
    }
    STOA_CHECK(fill_leaf(pool, node, values, &validity, slots, dictionary, out, err));

done:
    stoa_buffer_release(&validity);
    return status;
}

stoa_status stoa_read_leaf_array(stoa_pool *pool, const stoa_read_node *node,
                                 const stoa_read_array_options *options, stoa_chunk_values *values,
                                 struct ArrowArray *out, stoa_error *err) {
    return leaf_array(pool, node, options, values, NULL, out, err);
}

stoa_status stoa_read_index_array(stoa_pool *pool, const stoa_read_node *node,
                                  stoa_chunk_values *values, struct ArrowArray *dictionary,
                                  struct ArrowArray *out, stoa_error *err) {
    const stoa_read_array_options options = {0};
    stoa_read_node indices = *node;
    indices.value_class = STOA_READ_COPY;
    indices.value_bytes = sizeof(int32_t);
    const stoa_status status = leaf_array(pool, &indices, &options, values, dictionary, out, err);
    stoa_arrow_array_release(dictionary);
    return status;
}

/* ---- Fields around leaves -------------------------------------------------------------------- */

static stoa_status fail_lengths(const char *what, int64_t expected, int64_t found,
                                stoa_error *err) {
    return stoa_fail(err, STOA_CORRUPT,
                     "columns of one %s differ: expected %" PRId64 " slots but found %" PRId64,
                     what, expected, found);
}

static stoa_status struct_array(stoa_pool *pool, const stoa_read_node *node,
                                const stoa_chunk_values *values, struct ArrowArray *leaves,
                                struct ArrowArray *out, stoa_error *err) {
    const stoa_chunk_values *first = &values[node->leaf];
    stoa_status status = STOA_OK;
    stoa_buffer validity;
    stoa_buffer_init(&validity, pool);
    STOA_CHECK(stoa_arrow_array_init(pool, 1, node->child_count, false, out, err));
    out->length = first->entry_count;
    if (!first->all_present) {
        int64_t present;
        const stoa_slot_rule rule = rule_of(node, first);
        STOA_CHECK(stoa_buffer_reserve(&validity, stoa_bitmap_bytes(first->entry_count), err));
        out->length = stoa_slots_validity(stoa_cpu_level(), &rule, validity.data, &present);
        validity.size = stoa_bitmap_bytes(out->length);
        out->null_count = out->length - present;
        if (out->null_count > 0) {
            stoa_arrow_array_set_buffer(out, 0, &validity);
        }
    }
    for (int32_t i = 0; i < node->child_count; i++) {
        STOA_CHECK(
            stoa_read_node_array(pool, &node->children[i], values, leaves, out->children[i], err));
        if (out->children[i]->length != out->length) {
            status = fail_lengths("struct", out->length, out->children[i]->length, err);
            goto done;
        }
    }

done:
    stoa_buffer_release(&validity);
    return status;
}

static stoa_status entries_array(stoa_pool *pool, const stoa_read_node *node, int64_t length,
                                 const stoa_chunk_values *values, struct ArrowArray *leaves,
                                 struct ArrowArray *out, stoa_error *err) {
    STOA_TRY(stoa_arrow_array_init(pool, 1, 2, false, out, err));
    out->length = length;
    for (int i = 0; i < 2; i++) {
        STOA_TRY(
            stoa_read_node_array(pool, &node->children[i], values, leaves, out->children[i], err));
        if (out->children[i]->length != length) {
            return fail_lengths("map", length, out->children[i]->length, err);
        }
    }
    if (out->children[0]->null_count > 0) {
        return stoa_fail(err, STOA_INVALID, "a map with a null key");
    }
    return STOA_OK;
}

static stoa_status list_array(stoa_pool *pool, const stoa_read_node *node,
                              const stoa_chunk_values *values, struct ArrowArray *leaves,
                              struct ArrowArray *out, stoa_error *err) {
    const stoa_chunk_values *first = &values[node->leaf];
    const stoa_slot_rule rule = rule_of(node, first);
    stoa_status status = STOA_OK;
    int64_t present, items;
    stoa_buffer validity, offsets;
    stoa_buffer_init(&validity, pool);
    stoa_buffer_init(&offsets, pool);
    STOA_CHECK(stoa_arrow_array_init(pool, 2, 1, false, out, err));
    STOA_CHECK(stoa_buffer_reserve(&validity, stoa_bitmap_bytes(first->entry_count), err));
    STOA_CHECK(
        stoa_buffer_reserve(&offsets, ((size_t)first->entry_count + 1) * sizeof(int32_t), err));
    int32_t *ends = (int32_t *)(void *)offsets.data;
    out->length = stoa_slots_offsets(stoa_cpu_level(), &rule, validity.data, ends, &present);
    out->null_count = out->length - present;
    items = ends[out->length];
    offsets.size = ((size_t)out->length + 1) * sizeof(int32_t);
    validity.size = stoa_bitmap_bytes(out->length);
    if (out->null_count > 0) {
        stoa_arrow_array_set_buffer(out, 0, &validity);
    }
    stoa_arrow_array_set_buffer(out, 1, &offsets);
    if (node->kind == STOA_TYPE_MAP) {
        STOA_CHECK(entries_array(pool, node, items, values, leaves, out->children[0], err));
        goto done;
    }
    STOA_CHECK(
        stoa_read_node_array(pool, &node->children[0], values, leaves, out->children[0], err));
    if (out->children[0]->length != items) {
        status = fail_lengths("list", items, out->children[0]->length, err);
    }

done:
    stoa_buffer_release(&validity);
    stoa_buffer_release(&offsets);
    return status;
}

stoa_status stoa_read_node_array(stoa_pool *pool, const stoa_read_node *node,
                                 const stoa_chunk_values *values, struct ArrowArray *leaves,
                                 struct ArrowArray *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    switch (node->kind) {
    case STOA_TYPE_STRUCT:
        status = struct_array(pool, node, values, leaves, out, err);
        if (status == STOA_OK && node->shred != NULL) {
            struct ArrowArray stored = *out;
            status = stoa_shred_assemble(pool, node->shred, &stored, out, err);
        }
        break;
    case STOA_TYPE_LIST:
    case STOA_TYPE_MAP: status = list_array(pool, node, values, leaves, out, err); break;
    default:
        *out = leaves[node->leaf];
        leaves[node->leaf] = (struct ArrowArray){0};
        break;
    }
    if (status != STOA_OK) {
        stoa_arrow_array_release(out);
    }
    return status;
}
