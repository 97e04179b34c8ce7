/* What a model of state tables is made of: keys of several shapes in their order, and what each of them
 * has. Keys are named by their rank among the keys of the table; writes derive their values from a seed. */
#ifndef STOA_TESTS_LSM_MODEL_ROWS_H
#define STOA_TESTS_LSM_MODEL_ROWS_H

#include <string.h>

#include <stoa/state.h>

#include "support.h"

enum {
    MODEL_TABLES = 4,
    MODEL_KEYS = 40, /* of a table */
    MODEL_PARTS = 3, /* of a key, at most */
    MODEL_VALUES = 5,
    MODEL_NAME_BYTES = 256,
    MODEL_KEY_BYTES = 900,
    MODEL_TTL_MS = 1000,
    MODEL_BATCH = 6 /* writes, at most */
};

/* One letter for each part's type: long, string, binary, int8, double, boolean. */
static const struct model_kind {
    const char *types;
    const char *key_schema;
    const char *key;
    bool descending[MODEL_PARTS];
    stoa_compaction_style compaction;
    int64_t ttl_ms;
    const char *codec;
} MODEL_KINDS[MODEL_TABLES] = {
    {"l", "k long not null", "k", {false}, STOA_COMPACTION_LEVELED, 0, NULL},
    {"s", "k string not null", "k desc", {true}, STOA_COMPACTION_TIERED, 0, "lz4"},
    {"bib",
     "a binary not null, b int8 not null, c binary not null",
     "a, b desc, c",
     {false, true, false},
     STOA_COMPACTION_LEVELED,
     0,
     "zstd"},
    {"do",
     "d double not null, o boolean not null",
     "d desc, o",
     {true, false},
     STOA_COMPACTION_LEVELED,
     MODEL_TTL_MS,
     NULL},
};
#define MODEL_VALUE_SCHEMA "total long, low int, high double, name string, at timestamp_ms"
#define MODEL_MERGE "total add, low min, high max, name append"

/* ---- Keys ------------------------------------------------------------------------------------- */

struct model_part {
    stoa_cell cell; /* without `bytes` */
    uint8_t bytes[MODEL_KEY_BYTES];
};
/* The keys of all tables, in their order. */
struct model_keys {
    struct model_part parts[MODEL_TABLES][MODEL_KEYS][MODEL_PARTS];
};

static inline int32_t model_part_count(int table) {
    return (int32_t)strlen(MODEL_KINDS[table].types);
}

/* The first parts of a key. */
static inline void model_key_cells(const struct model_keys *keys, int table, int key,
                                   stoa_cell out[MODEL_PARTS]) {
    for (int32_t i = 0; i < model_part_count(table); i++) {
        const struct model_part *part = &keys->parts[table][key][i];
        out[i] = part->cell;
        out[i].bytes = part->bytes;
    }
}

static inline int model_compare_bytes(const stoa_cell *left, const stoa_cell *right) {
    const size_t size = left->size < right->size ? left->size : right->size;
    const int order = size == 0 ? 0 : memcmp(left->bytes, right->bytes, size);
    return order != 0 ? order : (left->size > right->size) - (left->size < right->size);
}

/* By the first `count` parts, in the order of the table. */
static inline int model_compare(int table, const stoa_cell *left, const stoa_cell *right,
                                int32_t count) {
    for (int32_t i = 0; i < count; i++) {
        const char type = MODEL_KINDS[table].types[i];
        const int order = type == 's' || type == 'b' ? model_compare_bytes(&left[i], &right[i])
                          : type == 'd' ? (left[i].f > right[i].f) - (left[i].f < right[i].f)
                                        : (left[i].i > right[i].i) - (left[i].i < right[i].i);
        if (order != 0) {
            return MODEL_KINDS[table].descending[i] ? -order : order;
        }
    }
    return 0;
}

static inline void model_random_bytes(support_random *random, bool is_text,
                                      struct model_part *out) {
    static const uint8_t letters[] = {0x00, 0xFF, 'a', 'b', 0x01, 0xFE};
    const bool is_long = support_random_below(random, 20) == 0;
    out->cell.size = is_long ? support_random_below(random, MODEL_KEY_BYTES + 1)
                             : support_random_below(random, 5);
    for (size_t i = 0; i < out->cell.size; i++) {
        const uint8_t letter = letters[support_random_below(random, sizeof letters)];
        out->bytes[i] = is_text ? letter & 0x7F : letter;
    }
}

static inline void model_random_part(support_random *random, char type, struct model_part *out) {
    static const int64_t numbers[] = {INT64_MIN, -1, 0, 1, 255, 256, INT64_MAX};
    *out = (struct model_part){.cell = {.i = 0}};
    switch (type) {
    case 'l':
        out->cell.i = support_random_bool(random) ? support_random_between(random, -100, 100)
                                                  : numbers[support_random_below(random, 7)];
        break;
    case 'i': out->cell.i = support_random_between(random, -3, 3); break;
    case 'o': out->cell.i = support_random_bool(random); break;
    case 'd': out->cell.f = (double)support_random_between(random, -50, 50) / 8; break;
    default: model_random_bytes(random, type == 's', out); break;
    }
}

/* Puts a random key where it belongs among the first `count`; false: it is there already. */
static inline bool model_insert_key(support_random *random, struct model_keys *keys, int table,
                                    int count) {
    struct model_part parts[MODEL_PARTS];
    stoa_cell cells[MODEL_PARTS], other[MODEL_PARTS];
    for (int32_t i = 0; i < model_part_count(table); i++) {
        model_random_part(random, MODEL_KINDS[table].types[i], &parts[i]);
        cells[i] = parts[i].cell;
        cells[i].bytes = parts[i].bytes;
    }
    int at = 0;
    for (; at < count; at++) {
        model_key_cells(keys, table, at, other);
        const int order = model_compare(table, cells, other, model_part_count(table));
        if (order <= 0) {
            if (order == 0) {
                return false;
            }
            break;
        }
    }
    memmove(keys->parts[table][at + 1], keys->parts[table][at],
            (size_t)(count - at) * sizeof keys->parts[table][at]);
    memcpy(keys->parts[table][at], parts, sizeof parts);
    return true;
}

static inline void model_keys_make(support_random *random, struct model_keys *out) {
    memset(out, 0, sizeof *out);
    for (int table = 0; table < MODEL_TABLES; table++) {
        for (int count = 0; count < MODEL_KEYS;) {
            count += model_insert_key(random, out, table, count);
        }
    }
}

/* ---- Rows ------------------------------------------------------------------------------------- */

struct model_row {
    bool is_there;
    stoa_cell values[MODEL_VALUES]; /* without `bytes` */
    char name[MODEL_NAME_BYTES];
};
struct model {
    struct model_row rows[MODEL_TABLES][MODEL_KEYS];
};

enum { VALUE_TOTAL, VALUE_LOW, VALUE_HIGH, VALUE_NAME, VALUE_AT };

/* The values of a write. */
static inline void model_values(uint64_t seed, int64_t now_ms, struct model_row *out) {
    support_random random = {seed};
    *out = (struct model_row){.is_there = true};
    stoa_cell *values = out->values;
    values[VALUE_TOTAL].i = support_random_between(&random, -1000, 1000);
    values[VALUE_LOW].i = support_random_between(&random, -1000, 1000);
    values[VALUE_HIGH].f = (double)support_random_between(&random, -1000, 1000) / 4;
    values[VALUE_NAME].size = support_random_below(&random, 8);
    values[VALUE_AT].i = now_ms + support_random_between(&random, -2 * MODEL_TTL_MS, MODEL_TTL_MS);
    if (support_random_below(&random, 16) == 0) {
        values[VALUE_NAME].size = support_random_below(&random, MODEL_NAME_BYTES / 2);
    }
    for (size_t i = 0; i < values[VALUE_NAME].size; i++) {
        out->name[i] = (char)('a' + support_random_below(&random, 26));
    }
    for (int i = 0; i < MODEL_VALUES; i++) {
        values[i].is_null = support_random_below(&random, 5) == 0;
    }
}

/* What a program gives the store: the key's cells and the values'. */
static inline void model_cells(const struct model_keys *keys, int table, int key,
                               const struct model_row *row,
                               stoa_cell out[MODEL_PARTS + MODEL_VALUES]) {
    const int32_t parts = model_part_count(table);
    model_key_cells(keys, table, key, out);
    for (int i = 0; i < MODEL_VALUES; i++) {
        out[parts + i] = row->values[i];
    }
    out[parts + VALUE_NAME].bytes = row->name;
}

/* An operand's name must still fit: otherwise it is null, which changes nothing. */
static inline void model_fit_operand(const struct model_row *row, struct model_row *operand) {
    if (row->is_there && !row->values[VALUE_NAME].is_null &&
        row->values[VALUE_NAME].size + operand->values[VALUE_NAME].size > MODEL_NAME_BYTES) {
        operand->values[VALUE_NAME].is_null = true;
    }
}

static inline void model_merge_value(struct model_row *row, const struct model_row *operand,
                                     int value) {
    stoa_cell *into = &row->values[value];
    const stoa_cell *from = &operand->values[value];
    if (from->is_null) {
        return;
    }
    const bool is_first = into->is_null;
    const size_t before = is_first ? 0 : into->size;
    switch (value) {
    case VALUE_TOTAL: into->i = is_first ? from->i : into->i + from->i; break;
    case VALUE_LOW: into->i = is_first || from->i < into->i ? from->i : into->i; break;
    case VALUE_HIGH: into->f = is_first || from->f > into->f ? from->f : into->f; break;
    case VALUE_NAME:
        memcpy(row->name + before, operand->name, from->size);
        into->size = before + from->size;
        break;
    default: into->i = from->i; break;
    }
    into->is_null = false;
}

static inline void model_merge(struct model_row *row, const struct model_row *operand) {
    if (!row->is_there) {
        *row = *operand;
        return;
    }
    for (int i = 0; i < MODEL_VALUES; i++) {
        model_merge_value(row, operand, i);
    }
}

static inline bool model_is_seen(const struct model *model, int table, int key, int64_t now_ms) {
    const struct model_row *row = &model->rows[table][key];
    const int64_t ttl_ms = MODEL_KINDS[table].ttl_ms;
    return row->is_there && (ttl_ms == 0 || row->values[VALUE_AT].is_null ||
                             row->values[VALUE_AT].i + ttl_ms > now_ms);
}

#endif
