/* Random schemas by format string, random values by builder. */
#include "random_batch.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arrow/builder.h"
#include "arrow/schema.h"

struct maker {
    support_random *random;
    stoa_pool *pool;
    support_batch_options options;
    stoa_error err;
};

static struct maker maker_of(support_random *random, stoa_pool *pool,
                             const support_batch_options *options) {
    struct maker maker = {random, pool, *options, STOA_ERROR_NONE};
    if (maker.options.kinds == 0) {
        maker.options.kinds = SUPPORT_KINDS_ALL;
    }
    if (maker.options.depth == 0) {
        maker.options.depth = 3;
    }
    if (maker.options.decimal_width_max == 0) {
        maker.options.decimal_width_max = 32;
    }
    return maker;
}

static bool one_in(struct maker *maker, uint64_t count) {
    return support_random_below(maker->random, count) == 0;
}

static int64_t between(struct maker *maker, int64_t low, int64_t high) {
    return support_random_between(maker->random, low, high);
}

/* ---- schemas ---- */

static stoa_arrow_kind kind_choose(struct maker *maker, uint64_t kinds) {
    assert_true(kinds != 0);
    for (;;) {
        int64_t kind = between(maker, 0, STOA_ARROW_DENSE_UNION - 1);
        if ((kinds & SUPPORT_KIND(kind)) != 0) {
            return (stoa_arrow_kind)kind;
        }
    }
}

static void format_decimal(struct maker *maker, char *out, size_t size) {
    static const int widths[] = {4, 8, 16, 16, 16, 32};
    static const int digits[] = {9, 18, 38, 38, 38, 76};
    int64_t choice;
    do {
        choice = between(maker, 0, 5);
    } while (widths[choice] > maker->options.decimal_width_max);
    int precision = (int)between(maker, 1, digits[choice]);
    int low = maker->options.no_negative_scales || !one_in(maker, 4) ? 0 : -5;
    int scale = (int)between(maker, low, precision);
    if (widths[choice] == 16) {
        (void)snprintf(out, size, "d:%d,%d", precision, scale);
    } else {
        (void)snprintf(out, size, "d:%d,%d,%d", precision, scale, widths[choice] * 8);
    }
}

static const char *const simple_formats[] = {
    [STOA_ARROW_NULL] = "n",
    [STOA_ARROW_BOOL] = "b",
    [STOA_ARROW_INT8] = "c",
    [STOA_ARROW_UINT8] = "C",
    [STOA_ARROW_INT16] = "s",
    [STOA_ARROW_UINT16] = "S",
    [STOA_ARROW_INT32] = "i",
    [STOA_ARROW_UINT32] = "I",
    [STOA_ARROW_INT64] = "l",
    [STOA_ARROW_UINT64] = "L",
    [STOA_ARROW_FLOAT16] = "e",
    [STOA_ARROW_FLOAT] = "f",
    [STOA_ARROW_DOUBLE] = "g",
    [STOA_ARROW_DATE32] = "tdD",
    [STOA_ARROW_DATE64] = "tdm",
    [STOA_ARROW_INTERVAL_MONTHS] = "tiM",
    [STOA_ARROW_INTERVAL_DAY_TIME] = "tiD",
    [STOA_ARROW_INTERVAL_MONTH_DAY_NANO] = "tin",
    [STOA_ARROW_STRING] = "u",
    [STOA_ARROW_LARGE_STRING] = "U",
    [STOA_ARROW_STRING_VIEW] = "vu",
    [STOA_ARROW_BINARY] = "z",
    [STOA_ARROW_LARGE_BINARY] = "Z",
    [STOA_ARROW_BINARY_VIEW] = "vz",
    [STOA_ARROW_LIST] = "+l",
    [STOA_ARROW_LARGE_LIST] = "+L",
    [STOA_ARROW_STRUCT] = "+s",
    [STOA_ARROW_MAP] = "+m",
    [STOA_ARROW_RUN_END] = NULL,
};

static void format_make(struct maker *maker, stoa_arrow_kind kind, char *out, size_t size) {
    char unit = "smun"[between(maker, 0, 3)];
    static const char *const zones[] = {"", "", "UTC", "Europe/Athens", "+02:00"};
    switch (kind) {
    case STOA_ARROW_DECIMAL:
        format_decimal(maker, out, size);
        return;
    case STOA_ARROW_TIME32:
        (void)snprintf(out, size, "tt%c", "sm"[between(maker, 0, 1)]);
        return;
    case STOA_ARROW_TIME64:
        (void)snprintf(out, size, "tt%c", "un"[between(maker, 0, 1)]);
        return;
    case STOA_ARROW_TIMESTAMP:
        (void)snprintf(out, size, "ts%c:%s", unit, zones[between(maker, 0, 4)]);
        return;
    case STOA_ARROW_DURATION:
        (void)snprintf(out, size, "tD%c", unit);
        return;
    case STOA_ARROW_FIXED:
        (void)snprintf(out, size, "w:%d", (int)between(maker, 1, 20));
        return;
    case STOA_ARROW_FIXED_LIST:
        (void)snprintf(out, size, "+w:%d", (int)between(maker, 1, 4));
        return;
    default:
        (void)snprintf(out, size, "%s", simple_formats[kind]);
        return;
    }
}

static void field_make(struct maker *maker, uint64_t kinds, const char *name, bool nullable,
                       int depth, struct ArrowSchema *out);

static bool nullable_choose(struct maker *maker) {
    return maker->options.no_required || !one_in(maker, 4);
}

static void map_make(struct maker *maker, int depth, struct ArrowSchema *out) {
    struct ArrowSchema *entries = out->children[0];
    static const char *const keys[] = {"u", "i", "l"};
    assert_ok(stoa_arrow_schema_init(maker->pool, "+s", "entries", false, 2, entries, &maker->err),
              maker->err);
    bool strings = (maker->options.kinds & SUPPORT_KIND(STOA_ARROW_STRING)) != 0;
    const char *key = strings ? keys[between(maker, 0, 2)] : "l";
    assert_ok(stoa_arrow_schema_init(maker->pool, key, "key", false, 0, entries->children[0],
                                     &maker->err), maker->err);
    field_make(maker, maker->options.kinds, "value", nullable_choose(maker), depth - 1,
               entries->children[1]);
}

static void struct_make(struct maker *maker, int depth, struct ArrowSchema *out) {
    for (int64_t i = 0; i < out->n_children; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "f%d", (int)i);
        field_make(maker, maker->options.kinds, name, nullable_choose(maker), depth - 1,
                   out->children[i]);
    }
}

/* Turns a plain field into dictionary indices over what it was. Items of lists are many times the
 * rows: their distinct values may be more than 16 bits count. */
static void dictionary_make(struct maker *maker, const char *name, bool nullable, int depth,
                            struct ArrowSchema *field) {
    static const char *const indices[] = {"s", "S", "i", "I", "l", "L"};
    struct ArrowSchema values = *field;
    int first = depth < maker->options.depth ? 2 : 0;
    assert_ok(stoa_arrow_schema_init(maker->pool, indices[between(maker, first, 5)], name, nullable,
                                     0, field, &maker->err), maker->err);
    assert_ok(stoa_arrow_schema_add_dictionary(maker->pool, field, &maker->err), maker->err);
    *field->dictionary = values;
}

static bool dictionary_choose(struct maker *maker, stoa_arrow_kind kind) {
    return !maker->options.no_dictionaries && kind != STOA_ARROW_NULL && one_in(maker, 6) &&
           (SUPPORT_KINDS_FLAT & SUPPORT_KIND(kind)) != 0;
}

static void field_make(struct maker *maker, uint64_t kinds, const char *name, bool nullable,
                       int depth, struct ArrowSchema *out) {
    uint64_t flat = kinds & SUPPORT_KINDS_FLAT;
    /* Nested kinds are a minority, or else every column would be a deep tree. */
    bool nested = depth > 0 && (kinds & SUPPORT_KINDS_NESTED) != 0 && (flat == 0 || one_in(maker, 3));
    stoa_arrow_kind kind = kind_choose(maker, nested      ? kinds & SUPPORT_KINDS_NESTED
                                              : flat != 0 ? flat
                                                          : SUPPORT_KIND(STOA_ARROW_INT32));
    if (kind == STOA_ARROW_NULL) {
        nullable = true;
    }
    char format[64];
    format_make(maker, kind, format, sizeof format);
    int64_t children = kind == STOA_ARROW_STRUCT ? between(maker, 1, 3) : nested ? 1 : 0;
    assert_ok(stoa_arrow_schema_init(maker->pool, format, name, nullable, children, out,
                                     &maker->err), maker->err);
    if (kind == STOA_ARROW_MAP) {
        map_make(maker, depth, out);
    } else if (kind == STOA_ARROW_STRUCT) {
        struct_make(maker, depth, out);
    } else if (nested) {
        field_make(maker, maker->options.kinds, "item", nullable_choose(maker), depth - 1,
                   out->children[0]);
    } else if (dictionary_choose(maker, kind)) {
        dictionary_make(maker, name, nullable, depth, out);
    }
}

void support_random_schema(support_random *random, stoa_pool *pool,
                           const support_batch_options *options, struct ArrowSchema *out) {
    struct maker maker = maker_of(random, pool, options);
    int64_t columns = options->column_count > 0 ? options->column_count : between(&maker, 1, 8);
    assert_ok(stoa_arrow_schema_init(pool, "+s", "", false, columns, out, &maker.err), maker.err);
    for (int64_t i = 0; i < columns; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", (int)i);
        field_make(&maker, maker.options.kinds, name, nullable_choose(&maker), maker.options.depth,
                   out->children[i]);
    }
}

/* ---- values ---- */

static void value_append(struct maker *maker, const struct ArrowSchema *schema,
                         stoa_builder *builder, int null_percent);

static double double_make(struct maker *maker) {
    static const double special[] = {NAN, INFINITY, -INFINITY, -0.0, 0.0, 5e-324, 1e300};
    if (!maker->options.no_special_floats && one_in(maker, 8)) {
        return special[between(maker, 0, 6)];
    }
    return (double)between(maker, -1000000, 1000000) / (one_in(maker, 2) ? 64 : 1000);
}

/* What fits the kind: most often small, sometimes anything. */
static double float_make(struct maker *maker, stoa_arrow_kind kind) {
    double value = double_make(maker);
    double most = kind == STOA_ARROW_FLOAT16 ? 60000 : kind == STOA_ARROW_FLOAT ? 1e38 : 1e308;
    return isfinite(value) && fabs(value) > most ? most / 3 : value;
}

static int64_t integer_make(struct maker *maker, const stoa_arrow_layout *layout) {
    int64_t per_second = stoa_time_unit_per_second(layout->unit);
    const int64_t year = 31556952;
    int bits = layout->byte_width * 8;
    switch (layout->kind) {
    case STOA_ARROW_DATE32:
        return between(maker, -98000, 102000);
    case STOA_ARROW_DATE64:
        return between(maker, -98000, 102000) * 86400000;
    case STOA_ARROW_TIME32:
    case STOA_ARROW_TIME64:
        return between(maker, 0, 86400 * per_second - 1);
    case STOA_ARROW_TIMESTAMP:
        return between(maker, -270 * year, 280 * year) * per_second +
               (one_in(maker, 2) ? between(maker, 0, per_second - 1) : 0);
    case STOA_ARROW_DURATION:
        return between(maker, -1000000, 1000000) * (one_in(maker, 2) ? 1 : per_second);
    case STOA_ARROW_INTERVAL_MONTHS:
        return between(maker, -500, 500);
    case STOA_ARROW_UINT8:
    case STOA_ARROW_UINT16:
    case STOA_ARROW_UINT32:
        return one_in(maker, 2) ? between(maker, 0, 20)
                                : between(maker, 0, (INT64_C(1) << bits) - 1);
    case STOA_ARROW_INT64:
        return one_in(maker, 2) ? between(maker, -20, 20)
                                : (int64_t)support_random_u64(maker->random);
    default:
        return one_in(maker, 2) ? between(maker, -20, 20)
                                : between(maker, -(INT64_C(1) << (bits - 1)),
                                          (INT64_C(1) << (bits - 1)) - 1);
    }
}

static void decimal_append(struct maker *maker, const stoa_arrow_layout *layout,
                           stoa_builder *builder) {
    int digits = layout->precision > 38 ? 38 : layout->precision;
    if (one_in(maker, 2)) {
        digits = (int)between(maker, 1, digits);
    }
    __int128 value = 0;
    for (int i = 0; i < digits; i++) {
        value = value * 10 + between(maker, 0, 9);
    }
    assert_ok(stoa_builder_append_i128(builder, one_in(maker, 2) ? -value : value, &maker->err),
              maker->err);
}

static void interval_append(struct maker *maker, stoa_arrow_kind kind, stoa_builder *builder) {
    struct {
        int32_t first;
        int32_t second;
        int64_t nanoseconds;
    } value = {(int32_t)between(maker, -100, 100), (int32_t)between(maker, -1000, 1000),
               between(maker, -86400000, 86400000) * 1000};
    size_t size = kind == STOA_ARROW_INTERVAL_DAY_TIME ? 8 : 16;
    assert_ok(stoa_builder_append_bytes(builder, &value, size, &maker->err), maker->err);
}

static const char *const words[] = {"",      "a",     "Stoa",   "column", "Ünïcode", "日本語",
                                    "it's",  "a,b",   "\"x\"",  "🏛",     "NULL",    "null",
                                    "{x: 1}", "tab\t", "back\\", "0.5",    "  padded "};

static size_t string_make(struct maker *maker, char out[256]) {
    size_t count = sizeof words / sizeof words[0];
    size_t size = 0;
    int64_t parts = one_in(maker, 4) ? between(maker, 2, 12) : 1;
    for (int64_t i = 0; i < parts; i++) {
        const char *word = words[support_random_below(maker->random, count)];
        size_t length = strlen(word);
        memcpy(out + size, word, length);
        size += length;
    }
    return size;
}

static void bytes_append(struct maker *maker, const stoa_arrow_layout *layout,
                         stoa_builder *builder) {
    char bytes[256];
    size_t size;
    if (layout->kind == STOA_ARROW_FIXED) {
        assert_true(layout->byte_width <= (int)sizeof bytes);
        size = (size_t)layout->byte_width;
        support_random_bytes(maker->random, bytes, size);
    } else if (layout->kind == STOA_ARROW_BINARY || layout->kind == STOA_ARROW_LARGE_BINARY ||
               layout->kind == STOA_ARROW_BINARY_VIEW) {
        size = (size_t)between(maker, 0, one_in(maker, 4) ? 100 : 16);
        support_random_bytes(maker->random, bytes, size);
    } else {
        size = string_make(maker, bytes);
    }
    assert_ok(stoa_builder_append_bytes(builder, bytes, size, &maker->err), maker->err);
}

static void key_append(struct maker *maker, stoa_arrow_kind kind, int64_t number,
                       stoa_builder *builder) {
    if (kind == STOA_ARROW_STRING) {
        char text[32];
        int size = snprintf(text, sizeof text, "k%d", (int)number);
        assert_ok(stoa_builder_append_bytes(builder, text, (size_t)size, &maker->err), maker->err);
    } else {
        assert_ok(stoa_builder_append_i64(builder, number, &maker->err), maker->err);
    }
}

static void map_append(struct maker *maker, const struct ArrowSchema *schema,
                       stoa_builder *builder, int null_percent) {
    const struct ArrowSchema *entries = schema->children[0];
    stoa_builder *entry = stoa_builder_child(builder, 0);
    stoa_arrow_layout key;
    assert_ok(stoa_arrow_layout_parse(entries->children[0], &key, &maker->err), maker->err);
    int64_t number = between(maker, -10, 10);
    for (int64_t count = between(maker, 0, 4); count > 0; count--) {
        key_append(maker, key.kind, number, stoa_builder_child(entry, 0));
        value_append(maker, entries->children[1], stoa_builder_child(entry, 1), null_percent);
        assert_ok(stoa_builder_finish_value(entry, &maker->err), maker->err);
        number += between(maker, 1, 5);
    }
}

static void nested_append(struct maker *maker, const struct ArrowSchema *schema,
                          const stoa_arrow_layout *layout, stoa_builder *builder,
                          int null_percent) {
    if (layout->kind == STOA_ARROW_MAP) {
        map_append(maker, schema, builder, null_percent);
    } else if (layout->kind == STOA_ARROW_STRUCT) {
        for (int64_t i = 0; i < schema->n_children; i++) {
            value_append(maker, schema->children[i], stoa_builder_child(builder, i), null_percent);
        }
    } else {
        int64_t count = layout->kind == STOA_ARROW_FIXED_LIST ? layout->list_size
                                                              : between(maker, 0, 4);
        for (int64_t i = 0; i < count; i++) {
            value_append(maker, schema->children[0], stoa_builder_child(builder, 0), null_percent);
        }
    }
    assert_ok(stoa_builder_finish_value(builder, &maker->err), maker->err);
}

static void value_append(struct maker *maker, const struct ArrowSchema *schema,
                         stoa_builder *builder, int null_percent) {
    stoa_arrow_layout layout;
    const struct ArrowSchema *values = schema->dictionary != NULL ? schema->dictionary : schema;
    assert_ok(stoa_arrow_layout_parse(values, &layout, &maker->err), maker->err);
    bool nullable = (schema->flags & ARROW_FLAG_NULLABLE) != 0;
    if (layout.kind == STOA_ARROW_NULL || (nullable && between(maker, 0, 99) < null_percent)) {
        assert_ok(stoa_builder_append_null(builder, &maker->err), maker->err);
        return;
    }
    switch (layout.kind) {
    case STOA_ARROW_BOOL:
        assert_ok(stoa_builder_append_bool(builder, one_in(maker, 2), &maker->err), maker->err);
        return;
    case STOA_ARROW_FLOAT16:
    case STOA_ARROW_FLOAT:
    case STOA_ARROW_DOUBLE:
        assert_ok(stoa_builder_append_f64(builder, float_make(maker, layout.kind), &maker->err),
                  maker->err);
        return;
    case STOA_ARROW_UINT64:
        assert_ok(stoa_builder_append_u64(builder, support_random_u64(maker->random), &maker->err),
                  maker->err);
        return;
    case STOA_ARROW_DECIMAL:
        decimal_append(maker, &layout, builder);
        return;
    case STOA_ARROW_INTERVAL_DAY_TIME:
    case STOA_ARROW_INTERVAL_MONTH_DAY_NANO:
        interval_append(maker, layout.kind, builder);
        return;
    default:
        break;
    }
    if (layout.kind >= STOA_ARROW_STRING && layout.kind <= STOA_ARROW_FIXED) {
        bytes_append(maker, &layout, builder);
    } else if (layout.kind >= STOA_ARROW_LIST) {
        nested_append(maker, values, &layout, builder, null_percent);
    } else {
        assert_ok(stoa_builder_append_i64(builder, integer_make(maker, &layout), &maker->err),
                  maker->err);
    }
}

void support_random_batch(support_random *random, stoa_pool *pool,
                          const struct ArrowSchema *schema, const support_batch_options *options,
                          int64_t rows, struct ArrowArray *out) {
    struct maker maker = maker_of(random, pool, options);
    stoa_builder *builder;
    assert_ok(stoa_builder_create(pool, schema, &builder, &maker.err), maker.err);
    for (int64_t i = 0; i < schema->n_children; i++) {
        static const int percents[] = {0, 1, 10, 50, 100};
        int percent = options->null_percent < 0   ? 0
                      : options->null_percent > 0 ? options->null_percent
                                                  : percents[between(&maker, 0, 4)];
        for (int64_t row = 0; row < rows; row++) {
            value_append(&maker, schema->children[i], stoa_builder_child(builder, i), percent);
        }
    }
    assert_ok(stoa_builder_finish_rows(builder, rows, &maker.err), maker.err);
    assert_ok(stoa_builder_finish(builder, out, &maker.err), maker.err);
    stoa_builder_close(builder);
}
