/* Appending single values: each kind takes what it can hold exactly, and says what it expected
 * otherwise. A dictionary-encoded node hands the value to its dictionary and keeps the index. */
#include <math.h>
#include <string.h>

#include "arrow/builder_internal.h"
#include "arrow/number.h"
#include "base/bits.h"
#include "base/checked.h"

static stoa_status wrong_type(const stoa_builder *builder, const char *found, stoa_error *err) {
    return stoa_fail(err, STOA_INVALID, "column '%s': expected a value of type %s but found %s",
                     builder_name(builder), stoa_arrow_kind_name(builder->layout.kind), found);
}

/* One value of fixed width, or `count` of zeros where `bytes` is NULL. */
static stoa_status put_fixed(stoa_builder *builder, const void *bytes, int64_t count,
                             stoa_error *err) {
    size_t size;
    size_t width = builder->storage == STORAGE_VIEWS ? 16 : (size_t)builder->layout.byte_width;
    if (!stoa_mul_size((size_t)count, width, &size)) {
        return stoa_fail(err, STOA_LIMIT, "column '%s': %" PRId64 " values of %zu bytes are more "
                         "than memory can hold", builder_name(builder), count, width);
    }
    builder_trim(builder);
    return bytes != NULL ? stoa_buffer_append(&builder->values, bytes, size, err)
                         : stoa_buffer_append_fill(&builder->values, 0, size, err);
}

static stoa_status put_bits(stoa_builder *builder, bool value, int64_t count, stoa_error *err) {
    STOA_TRY(stoa_buffer_resize(&builder->values, stoa_bitmap_bytes(builder->length + count),
                                err));
    stoa_bitmap_fill(builder->values.data, builder->length, count, value);
    return STOA_OK;
}

static stoa_status append_fixed(stoa_builder *builder, const void *bytes, stoa_error *err) {
    STOA_TRY(builder_put_validity(builder, 1, true, err));
    STOA_TRY(put_fixed(builder, bytes, 1, err));
    builder_commit(builder, 1, 0);
    return STOA_OK;
}

static stoa_status append_nulls(stoa_builder *builder, int64_t count, stoa_error *err);

static stoa_status children_append_nulls(stoa_builder *builder, int64_t count, stoa_error *err) {
    for (int64_t i = 0; i < builder->child_count; i++) {
        STOA_TRY(append_nulls(builder->children[i], count, err));
    }
    return STOA_OK;
}

/* Empty runs for `count` values. */
static stoa_status put_empty_runs(stoa_builder *builder, int64_t count, stoa_error *err) {
    int64_t last = builder_last_offset(builder);
    STOA_TRY(builder_put_first_offset(builder, err));
    int32_t narrow = (int32_t)last;
    for (int64_t i = 0; i < count; i++) {
        STOA_TRY(builder_is_wide(builder)
                     ? stoa_buffer_append(&builder->offsets, &last, sizeof last, err)
                     : stoa_buffer_append(&builder->offsets, &narrow, sizeof narrow, err));
    }
    return STOA_OK;
}

static stoa_status put_null_values(stoa_builder *builder, int64_t count, stoa_error *err) {
    switch (builder->storage) {
    case STORAGE_NONE:
        return STOA_OK;
    case STORAGE_BITS:
        return put_bits(builder, false, count, err);
    case STORAGE_FIXED:
    case STORAGE_VIEWS:
        return put_fixed(builder, NULL, count, err);
    case STORAGE_BYTES:
    case STORAGE_LIST:
        return put_empty_runs(builder, count, err);
    case STORAGE_FIXED_LIST:
        return children_append_nulls(builder, count * builder->layout.list_size, err);
    case STORAGE_STRUCT:
        return children_append_nulls(builder, count, err);
    }
    return STOA_OK;
}

static stoa_status append_nulls(stoa_builder *builder, int64_t count, stoa_error *err) {
    if (count == 0) {
        return STOA_OK;
    }
    if (builder->storage == STORAGE_NONE) {
        builder_commit(builder, count, 0);
        return STOA_OK;
    }
    STOA_TRY(builder_put_validity(builder, count, false, err));
    STOA_TRY(put_null_values(builder, count, err));
    builder_commit(builder, count, count);
    return STOA_OK;
}

stoa_status stoa_builder_append_null(stoa_builder *builder, stoa_error *err) {
    return append_nulls(builder, 1, err);
}

stoa_status stoa_builder_append_bool(stoa_builder *builder, bool value, stoa_error *err) {
    if (builder->dictionary != NULL) {
        STOA_TRY(stoa_builder_append_bool(builder->dictionary->values, value, err));
        return builder_dictionary_intern(builder, err);
    }
    if (builder->storage != STORAGE_BITS) {
        return wrong_type(builder, value ? "true" : "false", err);
    }
    STOA_TRY(builder_put_validity(builder, 1, true, err));
    STOA_TRY(put_bits(builder, value, 1, err));
    builder_commit(builder, 1, 0);
    return STOA_OK;
}

/* A number for messages: int128 has no printf letter. */
struct number_text {
    char text[STOA_DECIMAL_TEXT_BYTES];
};

static struct number_text number_text(__int128 value) {
    struct number_text out;
    (void)stoa_decimal_print(&value, 16, 0, out.text);
    return out;
}

static stoa_status out_of_range(const stoa_builder *builder, __int128 value, stoa_error *err) {
    struct number_text number = number_text(value);
    if (builder->layout.kind == STOA_ARROW_DECIMAL) {
        return stoa_fail(err, STOA_INVALID,
                         "column '%s': expected at most %d digits but found %s",
                         builder_name(builder), builder->layout.precision, number.text);
    }
    return stoa_fail(err, STOA_INVALID, "column '%s': %s is out of range for type %s",
                     builder_name(builder), number.text,
                     stoa_arrow_kind_name(builder->layout.kind));
}

/* Two's complement of `width` bytes, sign-extended where it is wider than 16. */
static stoa_status append_integer(stoa_builder *builder, __int128 value, stoa_error *err) {
    uint8_t bytes[32];
    memset(bytes + 16, value < 0 ? 0xFF : 0, 16);
    memcpy(bytes, &value, 16);
    return append_fixed(builder, bytes, err);
}

static stoa_status append_decimal(stoa_builder *builder, __int128 value, stoa_error *err) {
    int32_t precision = builder->layout.precision;
    if (precision <= 38 && !stoa_decimal_fits(&value, 16, precision)) {
        return out_of_range(builder, value, err);
    }
    return append_integer(builder, value, err);
}

/* Integers go into floats when nothing is lost. */
static stoa_status append_exact(stoa_builder *builder, __int128 value, stoa_error *err) {
    int digits = builder->layout.kind == STOA_ARROW_DOUBLE  ? 53
                 : builder->layout.kind == STOA_ARROW_FLOAT ? 24
                                                            : 11;
    __int128 magnitude = value < 0 ? -value : value;
    bool fits = magnitude <= UINT64_MAX;
    if (fits && magnitude != 0) {
        uint64_t bits = (uint64_t)magnitude;
        int span = 64 - __builtin_clzll(bits) - __builtin_ctzll(bits);
        fits = span <= digits && (digits > 11 || bits <= 65504);
    }
    if (!fits) {
        return stoa_fail(err, STOA_INVALID, "column '%s': type %s does not hold %s exactly",
                         builder_name(builder), stoa_arrow_kind_name(builder->layout.kind),
                         number_text(value).text);
    }
    return stoa_builder_append_f64(builder, (double)value, err);
}

struct range {
    __int128 low;
    __int128 high;
};

/* What a kind holds; false for kinds that no integer goes into. */
static bool integer_range(const stoa_arrow_layout *layout, struct range *out) {
    switch (layout->kind) {
    case STOA_ARROW_INT8:
    case STOA_ARROW_INT16:
    case STOA_ARROW_INT32:
    case STOA_ARROW_INT64:
    case STOA_ARROW_DATE32:
    case STOA_ARROW_DATE64:
    case STOA_ARROW_TIME32:
    case STOA_ARROW_TIME64:
    case STOA_ARROW_TIMESTAMP:
    case STOA_ARROW_DURATION:
    case STOA_ARROW_INTERVAL_MONTHS:
        out->high = ((__int128)1 << (layout->byte_width * 8 - 1)) - 1;
        out->low = -out->high - 1;
        return true;
    case STOA_ARROW_UINT8:
    case STOA_ARROW_UINT16:
    case STOA_ARROW_UINT32:
    case STOA_ARROW_UINT64:
        out->high = ((__int128)1 << (layout->byte_width * 8)) - 1;
        out->low = 0;
        return true;
    default:
        return false;
    }
}

stoa_status stoa_builder_append_i128(stoa_builder *builder, __int128 value, stoa_error *err) {
    if (builder->dictionary != NULL) {
        STOA_TRY(stoa_builder_append_i128(builder->dictionary->values, value, err));
        return builder_dictionary_intern(builder, err);
    }
    struct range range;
    switch (builder->layout.kind) {
    case STOA_ARROW_DECIMAL:
        return append_decimal(builder, value, err);
    case STOA_ARROW_FLOAT16:
    case STOA_ARROW_FLOAT:
    case STOA_ARROW_DOUBLE:
        return append_exact(builder, value, err);
    default:
        break;
    }
    if (!integer_range(&builder->layout, &range)) {
        return wrong_type(builder, number_text(value).text, err);
    }
    if (value < range.low || value > range.high) {
        return out_of_range(builder, value, err);
    }
    return append_integer(builder, value, err);
}

stoa_status stoa_builder_append_i64(stoa_builder *builder, int64_t value, stoa_error *err) {
    if (builder->layout.byte_width == 8 && builder->dictionary == NULL &&
        (builder->layout.kind == STOA_ARROW_INT64 ||
         builder->layout.kind == STOA_ARROW_TIMESTAMP)) {
        return append_fixed(builder, &value, err);
    }
    return stoa_builder_append_i128(builder, value, err);
}

stoa_status stoa_builder_append_u64(stoa_builder *builder, uint64_t value, stoa_error *err) {
    return stoa_builder_append_i128(builder, value, err);
}

stoa_status stoa_builder_append_f64(stoa_builder *builder, double value, stoa_error *err) {
    if (builder->dictionary != NULL) {
        STOA_TRY(stoa_builder_append_f64(builder->dictionary->values, value, err));
        return builder_dictionary_intern(builder, err);
    }
    if (builder->layout.kind == STOA_ARROW_DOUBLE) {
        return append_fixed(builder, &value, err);
    }
    char text[STOA_DOUBLE_TEXT_BYTES];
    if (builder->layout.kind == STOA_ARROW_FLOAT) {
        float single = (float)value;
        if (isinf(value) || !isinf(single)) {
            return append_fixed(builder, &single, err);
        }
    } else if (builder->layout.kind == STOA_ARROW_FLOAT16) {
        uint16_t half = stoa_half_from_double(value);
        if (isinf(value) || (half & 0x7FFF) != 0x7C00) {
            return append_fixed(builder, &half, err);
        }
    } else {
        (void)stoa_double_print(value, text);
        return wrong_type(builder, text, err);
    }
    (void)stoa_double_print(value, text);
    return stoa_fail(err, STOA_INVALID, "column '%s': %s is out of range for type %s",
                     builder_name(builder), text, stoa_arrow_kind_name(builder->layout.kind));
}

static stoa_status append_variable(stoa_builder *builder, const void *bytes, size_t size,
                                   stoa_error *err) {
    int64_t end;
    if (size > INT64_MAX || !stoa_add_i64(builder_last_offset(builder), (int64_t)size, &end)) {
        return stoa_fail(err, STOA_LIMIT, "column '%s': a value of %zu bytes",
                         builder_name(builder), size);
    }
    STOA_TRY(builder_put_validity(builder, 1, true, err));
    builder_trim(builder);
    STOA_TRY(builder_check_offset(builder, end, err));
    STOA_TRY(stoa_buffer_append(&builder->values, bytes, size, err));
    STOA_TRY(builder_put_offset(builder, end, err));
    builder_commit(builder, 1, 0);
    return STOA_OK;
}

/* Up to 12 bytes stand in the view itself; longer ones in the one buffer behind it. */
static stoa_status append_view(stoa_builder *builder, const void *bytes, size_t size,
                               stoa_error *err) {
    struct {
        int32_t size;
        char prefix[4];
        int32_t buffer;
        int32_t offset;
    } view = {0};
    if (size > INT32_MAX || builder->offsets.size > (size_t)INT32_MAX - size) {
        return stoa_fail(err, STOA_LIMIT, "column '%s': %zu bytes of long values in one batch are "
                         "more than the 2147483647 that it holds", builder_name(builder),
                         builder->offsets.size + size);
    }
    view.size = (int32_t)size;
    if (size <= 12) {
        if (size > 0) {
            memcpy((char *)&view + 4, bytes, size);
        }
        return append_fixed(builder, &view, err);
    }
    memcpy(view.prefix, bytes, 4);
    view.offset = (int32_t)builder->offsets.size;
    STOA_TRY(stoa_buffer_append(&builder->offsets, bytes, size, err));
    return append_fixed(builder, &view, err);
}

static stoa_status append_raw(stoa_builder *builder, const void *bytes, size_t size,
                              stoa_error *err) {
    size_t width = builder->storage == STORAGE_BITS ? 1 : (size_t)builder->layout.byte_width;
    if (size != width) {
        return stoa_fail(err, STOA_INVALID,
                         "column '%s': expected %zu bytes of type %s but found %zu",
                         builder_name(builder), width, stoa_arrow_kind_name(builder->layout.kind),
                         size);
    }
    if (builder->storage == STORAGE_BITS) {
        return stoa_builder_append_bool(builder, *(const uint8_t *)bytes != 0, err);
    }
    if (builder->layout.kind == STOA_ARROW_DECIMAL &&
        !stoa_decimal_fits(bytes, (int32_t)size, builder->layout.precision)) {
        char text[STOA_DECIMAL_TEXT_BYTES];
        (void)stoa_decimal_print(bytes, (int32_t)size, 0, text);
        return stoa_fail(err, STOA_INVALID,
                         "column '%s': expected at most %d digits but found %s",
                         builder_name(builder), builder->layout.precision, text);
    }
    return append_fixed(builder, bytes, err);
}

stoa_status stoa_builder_append_bytes(stoa_builder *builder, const void *bytes, size_t size,
                                      stoa_error *err) {
    if (builder->dictionary != NULL) {
        STOA_TRY(stoa_builder_append_bytes(builder->dictionary->values, bytes, size, err));
        return builder_dictionary_intern(builder, err);
    }
    switch (builder->storage) {
    case STORAGE_BYTES:
        return append_variable(builder, bytes, size, err);
    case STORAGE_VIEWS:
        return append_view(builder, bytes, size, err);
    case STORAGE_FIXED:
    case STORAGE_BITS:
        return append_raw(builder, bytes, size, err);
    default:
        return wrong_type(builder, "bytes", err);
    }
}

static stoa_status child_lacks(const stoa_builder *builder, const stoa_builder *child,
                               int64_t wanted, stoa_error *err) {
    return stoa_fail(err, STOA_INVALID,
                     "column '%s': expected %" PRId64 " values in child '%s' but found %" PRId64,
                     builder_name(builder), wanted, builder_name(child), child->length);
}

/* How many values the children must hold at least once `count` more are ended; children may be
 * ahead, as when a batch is filled column by column. Finish wants the exact number. */
static stoa_status children_expect(const stoa_builder *builder, int64_t count, stoa_error *err) {
    int64_t wanted = builder->length + count;
    if (builder->storage == STORAGE_LIST) {
        wanted = builder_last_offset(builder);
    } else if (builder->storage == STORAGE_FIXED_LIST) {
        wanted *= builder->layout.list_size;
    }
    for (int64_t i = 0; i < builder->child_count; i++) {
        if (builder->children[i]->length < wanted) {
            return child_lacks(builder, builder->children[i], wanted, err);
        }
    }
    return STOA_OK;
}

stoa_status stoa_builder_finish_value(stoa_builder *builder, stoa_error *err) {
    if (builder->dictionary != NULL) {
        STOA_TRY(stoa_builder_finish_value(builder->dictionary->values, err));
        return builder_dictionary_intern(builder, err);
    }
    if (builder->storage < STORAGE_LIST) {
        return wrong_type(builder, "the end of a nested value", err);
    }
    STOA_TRY(children_expect(builder, 1, err));
    STOA_TRY(builder_put_validity(builder, 1, true, err));
    if (builder->storage == STORAGE_LIST) {
        STOA_TRY(builder_put_offset(builder, builder->children[0]->length, err));
    }
    builder_commit(builder, 1, 0);
    return STOA_OK;
}

stoa_status stoa_builder_finish_rows(stoa_builder *builder, int64_t count, stoa_error *err) {
    STOA_ASSERT(count >= 0);
    if (builder->storage != STORAGE_STRUCT) {
        return wrong_type(builder, "rows of a batch", err);
    }
    STOA_TRY(children_expect(builder, count, err));
    STOA_TRY(builder_put_validity(builder, count, true, err));
    builder_commit(builder, count, 0);
    return STOA_OK;
}
