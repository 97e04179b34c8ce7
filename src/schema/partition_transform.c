/* Values of partitions, and what they prove. See partition.h. */
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "schema/constant.h"
#include "schema/hive_path.h"
#include "schema/partition.h"

enum { FOLDER_BYTES_MAX = 255 };

/* ---- buckets --------------------------------------------------------------------------------- */

static uint32_t rotate(uint32_t value, int by) {
    return value << by | value >> (32 - by);
}

static uint32_t scramble(uint32_t block) {
    return rotate(block * UINT32_C(0xcc9e2d51), 15) * UINT32_C(0x1b873593);
}

/* MurmurHash3_x86_32 with seed 0. */
static uint32_t murmur3(const uint8_t *bytes, size_t size) {
    uint32_t hash = 0;
    size_t at = 0;
    for (; size - at >= 4; at += 4) {
        hash = rotate(hash ^ scramble(stoa_load_u32(bytes + at)), 13) * 5 + UINT32_C(0xe6546b64);
    }
    uint32_t rest = 0;
    for (size_t i = size; i > at; i--) {
        rest = rest << 8 | bytes[i - 1];
    }
    hash ^= size > at ? scramble(rest) : 0;
    hash ^= (uint32_t)size;
    hash = (hash ^ hash >> 16) * UINT32_C(0x85ebca6b);
    hash = (hash ^ hash >> 13) * UINT32_C(0xc2b2ae35);
    return hash ^ hash >> 16;
}

/* Unscaled, big-endian, in as few bytes as hold it. */
static uint32_t hash_decimal(__int128 value) {
    uint8_t bytes[16];
    return murmur3(bytes, stoa_store_i128_shortest(bytes, value));
}

static int64_t floor_div(int64_t value, int64_t by) {
    return value / by - (value % by < 0);
}

/* Microseconds, whatever the column's unit is. */
static int64_t to_micros(const stoa_value *value) {
    int64_t per_second = stoa_type_per_second(&value->type);
    return per_second > 1000000
               ? floor_div(value->i, per_second / 1000000)
               : (int64_t)((uint64_t)value->i * (uint64_t)(1000000 / per_second));
}

int32_t stoa_bucket_hash(const stoa_value *value) {
    int64_t number = value->i;
    switch (value->type.kind) {
    case STOA_TYPE_DECIMAL: return (int32_t)hash_decimal(value->decimal);
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID: return (int32_t)murmur3(value->bytes, value->size);
    case STOA_TYPE_TIME:
    case STOA_TYPE_TIMESTAMP:
    case STOA_TYPE_TIMESTAMP_TZ: number = to_micros(value); break;
    default: break;
    }
    uint8_t bytes[8];
    stoa_store_u64(bytes, (uint64_t)number);
    return (int32_t)murmur3(bytes, sizeof bytes);
}

/* ---- transforms ------------------------------------------------------------------------------ */

static int64_t to_days(const stoa_value *value) {
    return value->type.kind == STOA_TYPE_DATE
               ? value->i
               : floor_div(value->i, 86400 * stoa_type_per_second(&value->type));
}

static int64_t to_months(const stoa_value *value) {
    stoa_civil date = stoa_civil_from_days(to_days(value));
    return (date.year - 1970) * 12 + date.month - 1;
}

static __int128 down_to(__int128 value, int32_t width) {
    __int128 over = value % width;
    return value - (over < 0 ? over + width : over);
}

/* What is below the type's range by less than a width stays the least value: Iceberg wraps around
 * there, which would put neighbours into partitions far apart. */
static void truncate_number(const stoa_partition_field *field, const stoa_value *source,
                            stoa_value *out) {
    __int128 low, high;
    bool is_decimal = source->type.kind == STOA_TYPE_DECIMAL;
    __int128 number = is_decimal ? source->decimal : (__int128)source->i;
    if (source->type.kind == STOA_TYPE_UINT64) {
        number = (uint64_t)source->i;
    }
    stoa_grid_range(&source->type, &low, &high);
    __int128 cut = down_to(number, field->width);
    *out = stoa_grid_value(&source->type, cut < low ? low : cut);
}

/* The string is UTF-8. */
size_t stoa_partition_truncate_text(const stoa_partition_field *field, const uint8_t *bytes,
                                    size_t size) {
    size_t cut = 0;
    if (size <= (size_t)field->width) {
        return size;
    }
    for (int32_t points = 0; cut < size; cut++) {
        points += (bytes[cut] & 0xC0) != 0x80;
        if (points > field->width) {
            break;
        }
    }
    return cut;
}

void stoa_partition_transform(const stoa_partition_field *field, const stoa_value *source,
                              stoa_value *out) {
    if (source->is_null) {
        *out = (stoa_value){.type = field->type, .is_null = true};
        return;
    }
    int64_t number = 0;
    switch (field->transform) {
    case STOA_TRANSFORM_IDENTITY: *out = *source; return;
    case STOA_TRANSFORM_TRUNCATE:
        if (source->type.kind == STOA_TYPE_STRING) {
            *out = *source;
            out->size = stoa_partition_truncate_text(field, source->bytes, source->size);
        } else {
            truncate_number(field, source, out);
        }
        return;
    case STOA_TRANSFORM_YEAR: number = stoa_civil_from_days(to_days(source)).year - 1970; break;
    case STOA_TRANSFORM_MONTH: number = to_months(source); break;
    case STOA_TRANSFORM_DAY: number = to_days(source); break;
    case STOA_TRANSFORM_HOUR:
        number = floor_div(source->i, 3600 * stoa_type_per_second(&source->type));
        break;
    case STOA_TRANSFORM_BUCKET:
        number = (stoa_bucket_hash(source) & INT32_MAX) % field->width;
        break;
    }
    *out = (stoa_value){.type = field->type, .i = number};
}

/* Neighbours are often of one day, and the calendar costs more than to see that. */
static void cut_days(const stoa_partition_field *field, int64_t *numbers, int64_t count) {
    const bool is_date = field->source.kind == STOA_TYPE_DATE;
    const int64_t per_day = is_date ? 1 : 86400 * stoa_type_per_second(&field->source);
    int64_t last = 0, result = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t days = is_date ? numbers[i] : floor_div(numbers[i], per_day);
        if (days != last || i == 0) {
            stoa_civil date = stoa_civil_from_days(days);
            last = days;
            result = field->transform == STOA_TRANSFORM_YEAR
                         ? date.year - 1970
                         : (date.year - 1970) * 12 + date.month - 1;
        }
        numbers[i] = field->transform == STOA_TRANSFORM_DAY ? days : result;
    }
}

static void truncate_numbers(const stoa_partition_field *field, int64_t *numbers, int64_t count) {
    __int128 low, high;
    stoa_grid_range(&field->source, &low, &high);
    for (int64_t i = 0; i < count; i++) {
        int64_t over = numbers[i] % field->width;
        over += over < 0 ? field->width : 0;
        numbers[i] = numbers[i] < (int64_t)low + over ? (int64_t)low : numbers[i] - over;
    }
}

void stoa_partition_transform_numbers(const stoa_partition_field *field, int64_t *numbers,
                                      int64_t count) {
    const int64_t per_hour = field->transform == STOA_TRANSFORM_HOUR
                                 ? 3600 * stoa_type_per_second(&field->source)
                                 : 1;
    switch (field->transform) {
    case STOA_TRANSFORM_IDENTITY: return;
    case STOA_TRANSFORM_TRUNCATE: truncate_numbers(field, numbers, count); return;
    case STOA_TRANSFORM_YEAR:
    case STOA_TRANSFORM_MONTH:
    case STOA_TRANSFORM_DAY: cut_days(field, numbers, count); return;
    case STOA_TRANSFORM_HOUR:
        for (int64_t i = 0; i < count; i++) {
            numbers[i] = floor_div(numbers[i], per_hour);
        }
        return;
    case STOA_TRANSFORM_BUCKET:
        for (int64_t i = 0; i < count; i++) {
            const stoa_value value = {.type = field->source, .i = numbers[i]};
            numbers[i] = (stoa_bucket_hash(&value) & INT32_MAX) % field->width;
        }
        return;
    }
}

/* ---- names of folders ------------------------------------------------------------------------ */

static stoa_status print_value(const stoa_partition_field *field, const stoa_value *value,
                               stoa_buffer *out, stoa_error *err) {
    char date[STOA_TIMESTAMP_TEXT_BYTES];
    stoa_civil civil;
    int64_t days;
    switch (field->transform) {
    case STOA_TRANSFORM_YEAR:
        return stoa_buffer_append_format(out, err, "%04" PRId64, value->i + 1970);
    case STOA_TRANSFORM_MONTH:
        civil.year = floor_div(value->i, 12);
        return stoa_buffer_append_format(out, err, "%04" PRId64 "-%02d", civil.year + 1970,
                                         (int)(value->i - civil.year * 12 + 1));
    case STOA_TRANSFORM_HOUR:
        days = floor_div(value->i, 24);
        (void)stoa_date_print(days, date);
        return stoa_buffer_append_format(out, err, "%s-%02d", date, (int)(value->i - days * 24));
    default: return stoa_hive_value_print(value, out, err);
    }
}

static stoa_status print_folder(const stoa_partition_field *field, const stoa_value *value,
                                stoa_buffer *text, stoa_buffer *out, stoa_error *err) {
    size_t before = out->size;
    STOA_TRY(stoa_hive_escape(field->name, strlen(field->name), out, err));
    STOA_TRY(stoa_buffer_append_byte(out, '=', err));
    bool is_empty = !value->is_null && value->type.kind == STOA_TYPE_STRING && value->size == 0;
    if (value->is_null || is_empty) {
        STOA_TRY(stoa_buffer_append_text(out, STOA_HIVE_NULL, err));
    } else {
        stoa_buffer_clear(text);
        STOA_TRY(print_value(field, value, text, err));
        STOA_TRY(stoa_hive_escape((const char *)text->data, text->size, out, err));
    }
    if (out->size - before > FOLDER_BYTES_MAX) {
        return stoa_fail(err, STOA_LIMIT,
                         "partition '%.60s': a value makes a folder's name of %zu bytes, and file "
                         "systems take %d; truncate(%s) makes shorter ones",
                         field->name, out->size - before, FOLDER_BYTES_MAX, field->name);
    }
    return STOA_OK;
}

stoa_status stoa_partition_path_print(const stoa_partition_spec *spec, const stoa_value *values,
                                      stoa_buffer *out, stoa_error *err) {
    stoa_buffer text;
    stoa_buffer_init(&text, out->pool);
    stoa_status status = STOA_OK;
    for (int32_t i = 0; i < spec->field_count; i++) {
        STOA_CHECK(stoa_buffer_append_text(out, i == 0 ? "" : "/", err));
        STOA_CHECK(print_folder(&spec->fields[i], &values[i], &text, out, err));
    }

done:
    stoa_buffer_release(&text);
    return status;
}

/* ---- pruning --------------------------------------------------------------------------------- */

/* Whether a row of the bucket may have one of the constants in the field's column. */
static bool bucket_may_hold(const stoa_partition_field *field, const stoa_value *bucket,
                            const stoa_predicate *predicate) {
    for (int32_t i = 0; i < predicate->value_count; i++) {
        const stoa_value *constant = &predicate->values[i];
        stoa_value expected;
        if (constant->is_null) {
            continue; /* no row is equal to it */
        }
        if (constant->type.kind != field->source.kind) {
            return true;
        }
        stoa_partition_transform(field, constant, &expected);
        if (!bucket->is_null && expected.i == bucket->i) {
            return true;
        }
    }
    return false;
}

bool stoa_partition_may_match(const stoa_partition_spec *spec, const stoa_value *values,
                              const stoa_predicate *predicate) {
    bool may = predicate->kind != STOA_PREDICATE_OR || predicate->child_count == 0;
    switch (predicate->kind) {
    case STOA_PREDICATE_AND:
        for (int32_t i = 0; i < predicate->child_count && may; i++) {
            may = stoa_partition_may_match(spec, values, predicate->children[i]);
        }
        return may;
    case STOA_PREDICATE_OR:
        for (int32_t i = 0; i < predicate->child_count && !may; i++) {
            may = stoa_partition_may_match(spec, values, predicate->children[i]);
        }
        return may;
    case STOA_PREDICATE_EQUAL:
    case STOA_PREDICATE_IN:
        for (int32_t i = 0; i < spec->field_count && may; i++) {
            const stoa_partition_field *field = &spec->fields[i];
            may = field->transform != STOA_TRANSFORM_BUCKET ||
                  field->source_id != predicate->field_id ||
                  bucket_may_hold(field, &values[i], predicate);
        }
        return may;
    default: return true;
    }
}
