/* Column by column: pairs of neighbours that one column leaves equal are compared by the next. Only who
 * asks for sorting columns pays for it. */
#include "parquet/sorting.h"

#include "parquet/statistics.h"

/* One sorting column of a row group. */
struct key {
    const stoa_leaf *leaf;
    const stoa_parquet_sorting_option *option;
    stoa_leaf_values values;
};

/* ---- Comparing ------------------------------------------------------------------------------- */

#define COMPARE_INTEGERS(TYPE)                                                                     \
    do {                                                                                           \
        const TYPE *numbers = data;                                                                \
        return (numbers[at] > numbers[at - 1]) - (numbers[at] < numbers[at - 1]);                  \
    } while (0)

#define COMPARE_FLOATS(TYPE)                                                                       \
    do {                                                                                           \
        const TYPE *numbers = data;                                                                \
        const TYPE before = numbers[at - 1], now = numbers[at];                                    \
        if (before != before || now != now) {                                                      \
            return (now != now) - (before != before);                                              \
        }                                                                                          \
        return (now > before) - (now < before);                                                    \
    } while (0)

/* Value `at` against the one before it. */
static int compare_with_previous(const stoa_leaf *leaf, const void *data, int64_t at) {
    switch (leaf->value_class) {
    case STOA_LEAF_NULL:
    case STOA_LEAF_FIXED_NO_ORDER: return 0;
    case STOA_LEAF_BOOL:
    case STOA_LEAF_U8: COMPARE_INTEGERS(uint8_t);
    case STOA_LEAF_I8: COMPARE_INTEGERS(int8_t);
    case STOA_LEAF_I16: COMPARE_INTEGERS(int16_t);
    case STOA_LEAF_U16: COMPARE_INTEGERS(uint16_t);
    case STOA_LEAF_I32: COMPARE_INTEGERS(int32_t);
    case STOA_LEAF_U32: COMPARE_INTEGERS(uint32_t);
    case STOA_LEAF_I64: COMPARE_INTEGERS(int64_t);
    case STOA_LEAF_U64: COMPARE_INTEGERS(uint64_t);
    case STOA_LEAF_FLOAT: COMPARE_FLOATS(float);
    case STOA_LEAF_DOUBLE: COMPARE_FLOATS(double);
    case STOA_LEAF_BYTES:
    case STOA_LEAF_FIXED:
    case STOA_LEAF_FIXED_SIGNED: break;
    }
    const stoa_bytes_view *views = data;
    return stoa_views_compare(leaf->value_class, &views[at], &views[at - 1]);
}

static bool is_present(const struct key *key, int64_t row) {
    const uint8_t *definition = key->values.definition;
    return definition == NULL ? key->values.value_count > 0
                              : definition[row] == key->leaf->definition_max;
}

/* Above 0 where rows `row - 1` and `row` are in order and differ, below 0 where they are out of order.
 * `at` is where the value of `row` stands, or would. */
static int order_of(const struct key *key, int64_t row, int64_t at) {
    const bool before = is_present(key, row - 1);
    const bool now = is_present(key, row);
    if (before && now) {
        const int order = compare_with_previous(key->leaf, key->values.data, at);
        return key->option->descending ? -order : order;
    }
    if (before == now) {
        return 0;
    }
    return before == key->option->nulls_first ? -1 : 1;
}

/* ---- A row group ----------------------------------------------------------------------------- */

static stoa_status check_key(const struct key *key, uint8_t *tied, int64_t first_row,
                             stoa_error *err) {
    int64_t at = is_present(key, 0) ? 1 : 0;
    for (int64_t row = 1; row < key->values.level_count; row++) {
        if (tied[row] != 0) {
            const int order = order_of(key, row, at);
            if (order < 0) {
                stoa_fail(err, STOA_INVALID, "row %" PRId64 ", column '%s': expected rows in the "
                          "order of the sorting columns but found one that belongs before row %"
                          PRId64, first_row + row, key->leaf->name, first_row + row - 1);
                stoa_error_set_row(err, first_row + row);
                return STOA_INVALID;
            }
            tied[row] = order == 0;
        }
        at += is_present(key, row) ? 1 : 0;
    }
    return STOA_OK;
}

stoa_status stoa_sorting_check(stoa_pool *pool, const stoa_parquet_options *options,
                               const stoa_leaf *leaves, const int32_t *sorting_leaves,
                               const stoa_rows *pieces, size_t piece_count, int64_t first_row,
                               stoa_error *err) {
    stoa_status status = STOA_OK;
    struct key key = {0};
    stoa_buffer tied;
    stoa_buffer_init(&tied, pool);
    stoa_leaf_values_init(&key.values, pool);
    for (int32_t i = 0; i < options->sorting_count; i++) {
        key.leaf = &leaves[sorting_leaves[i]];
        key.option = &options->sorting[i];
        STOA_CHECK(stoa_leaf_values_collect(&key.values, key.leaf, pieces, piece_count, first_row,
                                            err));
        if (i == 0) {
            STOA_CHECK(stoa_buffer_append_fill(&tied, 1, (size_t)key.values.level_count, err));
        }
        if (key.values.level_count > 0) {
            STOA_CHECK(check_key(&key, tied.data, first_row, err));
        }
    }

done:
    stoa_leaf_values_release(&key.values);
    stoa_buffer_release(&tied);
    return status;
}

/* ---- Which leaves ---------------------------------------------------------------------------- */

static bool is_sortable(const stoa_leaf *leaf) {
    return leaf->repetition_max == 0 && leaf->value_class != STOA_LEAF_FIXED_NO_ORDER;
}

stoa_status stoa_sorting_resolve(const stoa_parquet_options *options, const stoa_leaf *leaves,
                                 int32_t leaf_count, stoa_arena *arena, const int32_t **out_leaves,
                                 stoa_error *err) {
    void *memory;
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)options->sorting_count, sizeof(int32_t),
                                       &memory, err));
    int32_t *found = memory;
    for (int32_t i = 0; i < options->sorting_count; i++) {
        const int32_t id = options->sorting[i].field_id;
        int32_t leaf = 0;
        while (leaf < leaf_count && leaves[leaf].field->id != id) {
            leaf++;
        }
        if (leaf == leaf_count || !is_sortable(&leaves[leaf])) {
            return stoa_fail(err, STOA_INVALID, "sorting: expected the id of a column that has an "
                             "order and is in no list or map but found %" PRId32, id);
        }
        for (int32_t j = 0; j < i; j++) {
            if (found[j] == leaf) {
                return stoa_fail(err, STOA_INVALID, "sorting: column '%s' comes twice",
                                 leaves[leaf].name);
            }
        }
        found[i] = leaf;
    }
    *out_leaves = found;
    return STOA_OK;
}
