/* Gets in one SSTable: the filter, the stripe by the last keys, the row in the stripe, then versions of
 * the key from the newest on.
 *
 * Most stripes have nothing but puts, and most readers see all that a file has: the directory says both,
 * so that sequence numbers and operations are read only where they matter. */
#include "base/bytes.h"
#include "lsm/cell.h"
#include "lsm/sstable_internal.h"

/* ---- Versions -------------------------------------------------------------------------------- */

static stoa_status segment_at(const stoa_sst *table, int64_t stripe, int32_t number,
                              const stoa_segment **out, stoa_error *err) {
    const stoa_stripe *at = &table->members[stripe].stripe;
    const stoa_status status = stoa_stripe_segment(at, number, at->row_count, out, err);
    return status == STOA_OK ? STOA_OK : stoa_sst_wrap(table, stripe, status, err);
}

static bool is_same(const uint8_t *left, size_t left_size, const uint8_t *right,
                    size_t right_size) {
    return left_size == right_size && (left_size == 0 || memcmp(left, right, left_size) == 0);
}

static stoa_status has_key(const stoa_sst *table, const stoa_sst_key *key,
                           const stoa_sst_position *position, bool *out, stoa_error *err) {
    const stoa_sst_member *member = &table->members[position->stripe];
    const stoa_segment *keys;
    size_t size;
    if (position->row == 0) {
        *out = is_same(member->first_key, member->first_key_size, key->bytes, key->size);
        return STOA_OK;
    }
    STOA_TRY(segment_at(table, position->stripe, STOA_STRIPE_KEYS, &keys, err));
    if (table->layout->key->is_number) {
        *out = (uint64_t)stoa_segment_number(keys, position->row) == key->number;
        return STOA_OK;
    }
    const size_t prefix = member->stripe.prefix_size;
    const uint8_t *rest = stoa_segment_value(keys, position->row, NULL, &size);
    *out = key->size >= prefix && is_same(member->first_key, prefix, key->bytes, prefix) &&
           is_same(rest, size, key->bytes + prefix, key->size - prefix);
    return STOA_OK;
}

/* The next row, if it has the same key. */
static stoa_status step_on(const stoa_sst *table, const stoa_sst_key *key,
                           stoa_sst_version *version, stoa_error *err) {
    stoa_sst_position *position = &version->position;
    version->is_found = false;
    if (++position->row == table->members[position->stripe].stripe.row_count) {
        *position = (stoa_sst_position){position->stripe + 1, 0};
    }
    return position->stripe == table->summary.stripe_count
               ? STOA_OK
               : has_key(table, key, position, &version->is_found, err);
}

static stoa_status read_operation(const stoa_sst *table, stoa_sst_version *version,
                                  stoa_error *err) {
    const stoa_sst_member *member = &table->members[version->position.stripe];
    const stoa_segment *operations;
    version->operation = STOA_OPERATION_PUT;
    if (member->delete_count == 0 && member->merge_count == 0) {
        return STOA_OK;
    }
    STOA_TRY(segment_at(table, version->position.stripe, STOA_STRIPE_OPERATIONS, &operations, err));
    const int64_t operation = stoa_segment_number(operations, version->position.row);
    if (operation > STOA_OPERATION_MERGE) {
        return stoa_sst_wrap(table, version->position.stripe,
                             stoa_fail(err, STOA_CORRUPT,
                                       "row %" PRIu32 ": expected an operation but found %" PRId64,
                                       version->position.row, operation),
                             err);
    }
    version->operation = (stoa_operation)operation;
    return STOA_OK;
}

stoa_status stoa_sst_sequence(const stoa_sst *table, const stoa_sst_position *position,
                              uint64_t *out, stoa_error *err) {
    const stoa_sst_member *member = &table->members[position->stripe];
    const stoa_segment *sequences;
    if (member->sequence_min == member->sequence_max) {
        *out = member->sequence_max;
        return STOA_OK;
    }
    STOA_TRY(segment_at(table, position->stripe, STOA_STRIPE_SEQUENCES, &sequences, err));
    *out = (uint64_t)stoa_segment_number(sequences, position->row);
    return stoa_sst_check_map(table, err);
}

static stoa_status is_visible(const stoa_sst *table, const stoa_sst_position *position,
                              uint64_t snapshot, bool *out, stoa_error *err) {
    uint64_t sequence = table->members[position->stripe].sequence_max;
    if (sequence > snapshot) {
        STOA_TRY(stoa_sst_sequence(table, position, &sequence, err));
    }
    *out = sequence <= snapshot;
    return STOA_OK;
}

/* The stripe that may have the key; -1: none. */
static int64_t stripe_of(stoa_sst *table, const stoa_sst_key *key) {
    if (!table->has_even_keys && !stoa_sst_may_contain(table, key->hash)) {
        return -1;
    }
    const int64_t stripe = stoa_sst_find_stripe(table, key->bytes, key->size, key->number);
    return stripe == table->summary.stripe_count ? -1 : stripe;
}

void stoa_sst_look_ahead(stoa_sst *table, const stoa_sst_key *key, int step, stoa_sst_hint *hint) {
    if (step == 0) {
        *hint = (stoa_sst_hint){.table = table};
        if (table->filter.blocks != NULL && !table->has_even_keys) {
            __builtin_prefetch(stoa_bloom_block(&table->filter, key->hash));
        }
        return;
    }
    if (step == 1) {
        hint->stripe = stripe_of(table, key);
        hint->is_known = true;
    }
    if (hint->stripe < 0) {
        return;
    }
    if (step == 1) {
        const char *member = (const char *)&table->members[hint->stripe];
        __builtin_prefetch(member);
        __builtin_prefetch(member + sizeof(stoa_sst_member) - 1);
    } else {
        stoa_sst_find_row_prefetch(table, key, hint->stripe, step - 2);
    }
}

stoa_status stoa_sst_get(stoa_sst *table, const stoa_sst_key *key, uint64_t snapshot,
                         const stoa_sst_hint *hint, stoa_sst_version *out, stoa_error *err) {
    bool sees = false;
    out->is_found = false;
    out->position.stripe = hint != NULL && hint->is_known ? hint->stripe : stripe_of(table, key);
    if (out->position.stripe < 0) {
        return stoa_sst_check_map(table, err);
    }
    STOA_TRY(stoa_sst_find_row(table, key->bytes, key->size, key->number, &out->position, err));
    STOA_TRY(has_key(table, key, &out->position, &out->is_found, err));
    while (out->is_found) {
        STOA_TRY(is_visible(table, &out->position, snapshot, &sees, err));
        if (sees) {
            STOA_TRY(read_operation(table, out, err));
            break;
        }
        STOA_TRY(step_on(table, key, out, err));
    }
    return stoa_sst_check_map(table, err);
}

stoa_status stoa_sst_before(const stoa_sst *table, const stoa_sst_key *key,
                            stoa_sst_version *version, stoa_error *err) {
    STOA_ASSERT(version->is_found);
    STOA_TRY(step_on(table, key, version, err));
    if (version->is_found) {
        STOA_TRY(read_operation(table, version, err));
    }
    return stoa_sst_check_map(table, err);
}

/* ---- Cells ----------------------------------------------------------------------------------- */

/* Where a cell comes from. */
struct cell_source {
    const stoa_type *type;        /* of the table's column; NULL: it is of the key */
    const stoa_type *stored;      /* of the file's */
    const stoa_segment *validity; /* NULL: there are no nulls */
    const stoa_segment *values;   /* NULL: nothing but nulls */
};

static stoa_status find_source(const stoa_sst *table, const stoa_stripe *stripe, int32_t column,
                               uint32_t row, struct cell_source *out, stoa_error *err) {
    const int32_t index = table->layout->column_nodes[column];
    *out = (struct cell_source){0};
    if (index < 0) {
        return STOA_OK;
    }
    const stoa_stripe_node *node = stoa_stripe_source(stripe, index);
    out->type = table->layout->nodes[index].type;
    STOA_ASSERT(table->layout->nodes[index].subtree == 1);
    if (node == NULL || node->value_segment < 0) {
        return STOA_OK; /* a later column, or one of type unknown */
    }
    out->stored = node->type;
    if (node->validity_segment >= 0) {
        STOA_TRY(stoa_stripe_segment(stripe, node->validity_segment, stripe->row_count,
                                     &out->validity, err));
        stoa_segment_prefetch(out->validity, row);
    }
    STOA_TRY(
        stoa_stripe_segment(stripe, node->value_segment, stripe->row_count, &out->values, err));
    stoa_segment_prefetch(out->values, row);
    return STOA_OK;
}

/* A value whose type was widened since. */
static void read_widened(const struct cell_source *source, uint32_t row, stoa_cell *out,
                         stoa_cell_storage *storage) {
    const void *buffers[2] = {NULL, storage->bytes};
    const struct ArrowArray value = {.length = 1, .n_buffers = 2, .buffers = buffers};
    stoa_cell_storage stored;
    size_t size;
    const uint8_t *bytes = stoa_segment_value(source->values, row, stored.bytes, &size);
    stoa_stripe_values_widen(source->stored, source->type, bytes, 1, storage->bytes);
    stoa_cell_from_array(source->type, &value, 0, out);
}

static void read_cell(const struct cell_source *source, uint32_t row, stoa_cell *out,
                      stoa_cell_storage *storage) {
    const stoa_segment *values = source->values;
    uint32_t bits;
    int64_t number;
    float single;
    *out = (stoa_cell){.is_null = values == NULL || (source->validity != NULL &&
                                                     !stoa_segment_bit(source->validity, row))};
    if (out->is_null) {
        return;
    }
    if (source->stored != source->type && stoa_stripe_type_changed(source->stored, source->type)) {
        read_widened(source, row, out, storage);
        return;
    }
    switch (source->type->kind) {
    case STOA_TYPE_BOOLEAN: out->i = stoa_segment_bit(values, row); return;
    case STOA_TYPE_FLOAT:
        bits = (uint32_t)stoa_segment_number(values, row);
        memcpy(&single, &bits, sizeof single);
        out->f = single;
        return;
    case STOA_TYPE_DOUBLE:
        number = stoa_segment_number(values, row);
        memcpy(&out->f, &number, sizeof out->f);
        return;
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID:
    case STOA_TYPE_INTERVAL:
    case STOA_TYPE_DECIMAL:
        out->bytes = stoa_segment_value(values, row, storage->bytes, &out->size);
        return;
    default: out->i = stoa_segment_number(values, row); return;
    }
}

static stoa_status wrap_column(const stoa_sst *table, int64_t stripe, int32_t column,
                               stoa_status status, stoa_error *err) {
    const char *name = table->layout->schema->root.children[column].name;
    stoa_wrap(err, "column '%s'", name);
    stoa_error_set_column(err, column, name);
    return stoa_sst_wrap(table, stripe, status, err);
}

/* The places of some columns are asked for before the first is read, so that their lines of memory come
 * side by side. */
stoa_status stoa_sst_cells(const stoa_sst *table, const stoa_sst_position *position,
                           const int32_t *columns, int32_t count, stoa_cell *out,
                           stoa_cell_storage *storage, stoa_error *err) {
    enum { TOGETHER = 16 };
    const stoa_stripe *stripe = &table->members[position->stripe].stripe;
    struct cell_source sources[TOGETHER];
    for (int32_t first = 0; first < count; first += TOGETHER) {
        const int32_t some = count - first < TOGETHER ? count - first : TOGETHER;
        for (int32_t i = 0; i < some; i++) {
            const stoa_status status = find_source(table, stripe, columns[first + i], position->row,
                                                   &sources[i], err);
            if (status != STOA_OK) {
                return wrap_column(table, position->stripe, columns[first + i], status, err);
            }
        }
        for (int32_t i = 0; i < some; i++) {
            if (sources[i].type != NULL) {
                read_cell(&sources[i], position->row, &out[first + i], &storage[first + i]);
            }
        }
    }
    return stoa_sst_check_map(table, err);
}

/* What gcc takes for a function without effects: see stoa_segment_prefetch. */
__attribute__((always_inline)) static inline void prefetch_slot(const stoa_stripe_slot *slot) {
    __builtin_prefetch(slot);
    __builtin_prefetch((const char *)slot + sizeof *slot - 1);
}

void stoa_sst_columns_prefetch(const stoa_sst *table, int64_t stripe, const int32_t *columns,
                               int32_t count) {
    const stoa_stripe *at = &table->members[stripe].stripe;
    prefetch_slot(&at->slots[STOA_STRIPE_KEYS]);
    for (int32_t i = 0; i < count; i++) {
        const int32_t index = table->layout->column_nodes[columns[i]];
        const stoa_stripe_node *node = index < 0 ? NULL : stoa_stripe_source(at, index);
        if (node != NULL && node->value_segment >= 0) {
            prefetch_slot(&at->slots[node->value_segment]);
        }
    }
}

void stoa_sst_cells_prefetch(const stoa_sst *table, const stoa_sst_position *position,
                             const int32_t *columns, int32_t count) {
    const stoa_stripe *stripe = &table->members[position->stripe].stripe;
    for (int32_t i = 0; i < count; i++) {
        const int32_t index = table->layout->column_nodes[columns[i]];
        const stoa_stripe_node *node = index < 0 ? NULL : stoa_stripe_source(stripe, index);
        const stoa_segment *values;
        if (node != NULL && node->value_segment >= 0 &&
            stoa_stripe_segment_if_open(stripe, node->value_segment, &values)) {
            stoa_segment_prefetch(values, position->row);
        }
    }
}

void stoa_sst_texts_prefetch(const stoa_sst *table, const stoa_sst_position *position,
                             const int32_t *columns, int32_t count) {
    enum { LINE = 64, BYTES_MAX = 512 };
    const stoa_stripe *stripe = &table->members[position->stripe].stripe;
    for (int32_t i = 0; i < count; i++) {
        const int32_t index = table->layout->column_nodes[columns[i]];
        const stoa_stripe_node *node = index < 0 ? NULL : stoa_stripe_source(stripe, index);
        const stoa_segment *values;
        if (node == NULL || node->values.values != STOA_SEGMENT_TEXTS ||
            !stoa_stripe_segment_if_open(stripe, node->value_segment, &values)) {
            continue;
        }
        size_t size;
        const uint8_t *bytes = stoa_segment_value(values, position->row, NULL, &size);
        for (size_t at = 0; at < size && at < BYTES_MAX; at += LINE) {
            __builtin_prefetch(bytes + at);
        }
        if (size > 0 && size <= BYTES_MAX) {
            __builtin_prefetch(bytes + size - 1);
        }
    }
}
