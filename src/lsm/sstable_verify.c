/* Verifying SSTables: every byte is read, every segment decoded, and what the directory and the filter
 * say is held against the rows. */
#include "base/bytes.h"
#include "lsm/sstable_internal.h"

static stoa_status check_order(const stoa_sst *table, const stoa_keys_view *keys,
                               const stoa_segment *sequences, stoa_error *err) {
    for (int64_t i = 1; i < keys->count; i++) {
        const int order = stoa_keys_compare(table->layout->key, keys, i, keys, i - 1);
        if (order < 0) {
            return stoa_fail(err, STOA_CORRUPT, "row %" PRId64 ": a key less than the one before",
                             i);
        }
        if (order == 0 && (uint64_t)stoa_segment_number(sequences, (uint32_t)i) >=
                              (uint64_t)stoa_segment_number(sequences, (uint32_t)i - 1)) {
            return stoa_fail(err, STOA_CORRUPT,
                             "row %" PRId64 ": a version that is not older than the one before", i);
        }
    }
    return STOA_OK;
}

static bool is_edge(const stoa_sst *table, const stoa_keys_view *keys, int64_t row,
                    const uint8_t *key, size_t key_size) {
    uint8_t number[8];
    size_t size;
    const uint8_t *bytes = stoa_keys_bytes(table->layout->key, keys, row, number, &size);
    return stoa_bytes_compare(bytes, size, key, key_size) == 0;
}

static stoa_status check_edges(const stoa_sst *table, const stoa_sst_member *member,
                               const stoa_keys_view *keys, stoa_error *err) {
    if (!is_edge(table, keys, 0, member->first_key, member->first_key_size) ||
        !is_edge(table, keys, keys->count - 1, member->last_key, member->last_key_size)) {
        return stoa_fail(err, STOA_CORRUPT, "first or last key: not those of the directory");
    }
    return STOA_OK;
}

static stoa_status check_filter(const stoa_sst *table, const stoa_keys_view *keys,
                                stoa_error *err) {
    for (int64_t i = 0; table->filter.blocks != NULL && i < keys->count; i++) {
        uint8_t number[8];
        size_t size;
        const uint8_t *key = stoa_keys_bytes(table->layout->key, keys, i, number, &size);
        if (!stoa_bloom_may_contain(&table->filter, stoa_sst_key_hash(key, size))) {
            return stoa_fail(err, STOA_CORRUPT, "row %" PRId64 ": a key that the filter lacks", i);
        }
    }
    return STOA_OK;
}

static stoa_status check_counts(const stoa_sst *table, const stoa_sst_member *member,
                                const stoa_segment *sequences, const stoa_segment *operations,
                                stoa_error *err) {
    uint64_t least = UINT64_MAX, greatest = 0;
    uint32_t deletes = 0, merges = 0;
    for (uint32_t i = 0; i < member->stripe.row_count; i++) {
        const uint64_t sequence = (uint64_t)stoa_segment_number(sequences, i);
        const int64_t operation = stoa_segment_number(operations, i);
        if (operation > STOA_OPERATION_MERGE) {
            return stoa_fail(err, STOA_CORRUPT,
                             "row %" PRIu32 ": expected an operation but found %" PRId64, i,
                             operation);
        }
        least = sequence < least ? sequence : least;
        greatest = sequence > greatest ? sequence : greatest;
        deletes += operation == STOA_OPERATION_DELETE;
        merges += operation == STOA_OPERATION_MERGE;
    }
    if (deletes != member->delete_count || merges != member->merge_count ||
        least != (table->is_numbered ? 0 : member->sequence_min) ||
        greatest != (table->is_numbered ? 0 : member->sequence_max)) {
        return stoa_fail(err, STOA_CORRUPT,
                         "operations and sequence numbers: not those of the directory");
    }
    return STOA_OK;
}

static stoa_status verify_keys(const stoa_sst *table, const stoa_sst_member *member,
                               stoa_keys *keys, stoa_error *err) {
    const stoa_stripe *stripe = &member->stripe;
    const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
    const stoa_segment *sequences, *operations;
    STOA_TRY(stoa_stripe_keys(stripe, &all, keys, err));
    STOA_TRY(
        stoa_stripe_segment(stripe, STOA_STRIPE_SEQUENCES, stripe->row_count, &sequences, err));
    STOA_TRY(
        stoa_stripe_segment(stripe, STOA_STRIPE_OPERATIONS, stripe->row_count, &operations, err));
    const stoa_keys_view view = stoa_keys_view_of(keys);
    STOA_TRY(check_order(table, &view, sequences, err));
    STOA_TRY(check_edges(table, member, &view, err));
    STOA_TRY(check_counts(table, member, sequences, operations, err));
    return check_filter(table, &view, err);
}

static stoa_status verify_padding(const stoa_stripe *stripe, stoa_error *err) {
    for (int32_t i = 0; i < stripe->layout->segment_count; i++) {
        const stoa_stripe_part *part = &stripe->parts[i];
        const size_t end = (size_t)part->offset + part->size;
        for (size_t at = end; at < stoa_sst_aligned(end); at++) {
            if (stripe->bytes[at] != 0) {
                return stoa_fail(err, STOA_CORRUPT, "expected zeros behind segment %" PRId32, i);
            }
        }
    }
    return STOA_OK;
}

static stoa_status verify_rows(const stoa_sst *table, const stoa_sst_member *member,
                               stoa_error *err) {
    const stoa_stripe *stripe = &member->stripe;
    const stoa_stripe_selection all = {NULL, 0, stripe->row_count};
    stoa_keys keys;
    STOA_TRY(verify_padding(stripe, err));
    stoa_keys_init(&keys, table->context.pool);
    const stoa_status status = verify_keys(table, member, &keys, err);
    stoa_keys_release(&keys);
    STOA_TRY(status);
    for (int32_t i = 0; i < table->stored->schema->root.child_count; i++) {
        struct ArrowArray column;
        if (table->stored->column_nodes[i] >= 0) {
            STOA_TRY(stoa_stripe_column(stripe, table->context.pool, i, &all, &column, err));
            stoa_arrow_array_release(&column);
        }
    }
    return STOA_OK;
}

/* With all columns of the file, read or not. Compressed segments are opened in slots of their own, so that
 * not all of the file stays in memory. */
static stoa_status verify_stripe(const stoa_sst *table, const stoa_sst_member *member,
                                 stoa_error *err) {
    const size_t slots_size = (size_t)table->stored->segment_count * sizeof(stoa_stripe_slot);
    stoa_sst_member stored = *member;
    void *slots = NULL;
    stored.stripe.schema = NULL;
    if (stored.stripe.decompression == NULL) {
        return verify_rows(table, &stored, err);
    }
    STOA_TRY(stoa_pool_allocate(table->context.pool, slots_size, &slots, err));
    memset(slots, 0, slots_size);
    stored.stripe.slots = slots;
    const stoa_status status = verify_rows(table, &stored, err);
    stoa_stripe_slots_release(&stored.stripe);
    stoa_pool_free(table->context.pool, slots, slots_size);
    return status;
}

/* Damage is told, with the file and (from 0 on) the stripe, and gone past; other failures end it. */
static stoa_status settle(const stoa_sst *table, int64_t stripe, stoa_status status,
                          stoa_sst_damage_function function, void *user, stoa_error *err) {
    if (status != STOA_CORRUPT) {
        return status;
    }
    if (stripe < 0) {
        stoa_wrap(err, "'%s'", stoa_file_uri(table->file));
    } else {
        (void)stoa_sst_wrap(table, stripe, status, err);
        stoa_error_set_file(err, stoa_file_uri(table->file),
                            (int64_t)table->members[stripe].offset);
    }
    function(user, stripe, err);
    stoa_error_clear(err);
    return STOA_OK;
}

static stoa_status verify_all(const stoa_sst *table, stoa_sst_damage_function function, void *user,
                              stoa_error *err) {
    for (uint32_t i = 0; i < table->section_count; i++) {
        STOA_TRY(settle(table, -1, stoa_sst_section_check(table, &table->sections[i], err),
                        function, user, err));
    }
    for (int64_t i = 0; i < table->summary.stripe_count; i++) {
        STOA_TRY(stoa_cancel_check(table->context.cancel, err));
        STOA_TRY(settle(table, i, verify_stripe(table, &table->members[i], err), function, user,
                        err));
    }
    return table->is_mapped ? stoa_file_map_check(table->file, err) : STOA_OK;
}

stoa_status stoa_sst_verify_all(const stoa_sst *table, stoa_sst_damage_function function,
                                void *user, stoa_error *err) {
    stoa_error own = STOA_ERROR_NONE;
    const stoa_status status = verify_all(table, function, user, &own);
    if (status != STOA_OK && err != NULL) {
        *err = own;
    }
    return status;
}

static void keep_first(void *user, int64_t stripe, const stoa_error *damage) {
    stoa_error *first = user;
    (void)stripe;
    if (first->status == STOA_OK) {
        *first = *damage;
    }
}

stoa_status stoa_sst_verify(const stoa_sst *table, stoa_error *err) {
    stoa_error first = STOA_ERROR_NONE;
    STOA_TRY(stoa_sst_verify_all(table, keep_first, &first, err));
    if (first.status != STOA_OK && err != NULL) {
        *err = first;
    }
    return first.status;
}
