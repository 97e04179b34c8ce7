/* Which rows stay: those whose time has not come and that the predicate takes. The columns that decide
 * are gathered for all rows, the others afterwards for those that are left.
 *
 * A stripe that cannot hold a row for the predicate is skipped where nobody can tell: it has nothing but
 * puts, and no key of it has a version elsewhere, newer operands or older rows that it would hide. */
#include "base/bits.h"
#include "base/bytes.h"
#include "lsm/run_internal.h"
#include "lsm/scan_internal.h"
#include "schema/path.h"
#include "schema/select_kernel.h"

/* ---- Skipping stripes ------------------------------------------------------------------------ */

static bool is_same_key(const uint8_t *left, uint32_t left_size, const uint8_t *right,
                        uint32_t right_size) {
    return stoa_bytes_compare(left, left_size, right, right_size) == 0;
}

/* Whether versions of its first or last key are in the stripes beside it. */
bool stoa_view_scan_stripe_shares_keys(const stoa_sst *table, int64_t stripe) {
    const stoa_sst_member *member = stoa_sst_member_at(table, stripe);
    if (stripe > 0) {
        const stoa_sst_member *before = stoa_sst_member_at(table, stripe - 1);
        if (is_same_key(before->last_key, before->last_key_size, member->first_key,
                        member->first_key_size)) {
            return true;
        }
    }
    if (stripe + 1 < stoa_sst_summary_of(table)->stripe_count) {
        const stoa_sst_member *after = stoa_sst_member_at(table, stripe + 1);
        return is_same_key(member->last_key, member->last_key_size, after->first_key,
                           after->first_key_size);
    }
    return false;
}

static stoa_status run_has_rows(stoa_view_scan *scan, int32_t run, const stoa_key_range *range,
                                bool *out) {
    stoa_run_cursor *cursor;
    STOA_TRY(stoa_view_scan_probe(scan, run, &cursor, NULL));
    STOA_TRY(stoa_run_cursor_seek(cursor, range, NULL));
    return stoa_run_cursor_has_rows(cursor, out, NULL);
}

/* Whether another run has a row between the first and the last key of a stripe. A run that cannot tell
 * may have one; what is wrong with it is said when it is read. */
static bool others_overlap(stoa_view_scan *scan, int32_t run, const stoa_sst_member *member) {
    stoa_key_range range = {.from = member->first_key, .from_size = member->first_key_size};
    stoa_buffer_clear(&scan->probe_key);
    if (stoa_buffer_append(&scan->probe_key, member->last_key, member->last_key_size, NULL) !=
        STOA_OK) {
        return true;
    }
    range.to_end = !stoa_view_key_successor(&scan->probe_key);
    range.to = scan->probe_key.data;
    range.to_size = scan->probe_key.size;
    for (int32_t i = 0; i < scan->run_count; i++) {
        bool has_rows = true;
        if (i != run && (run_has_rows(scan, i, &range, &has_rows) != STOA_OK || has_rows)) {
            return true;
        }
    }
    return false;
}

static bool skip_stripe(void *user, const stoa_sst *table, int64_t stripe) {
    const stoa_view_scan_skip *skip = user;
    stoa_view_scan *scan = skip->scan;
    const stoa_sst_member *member = stoa_sst_member_at(table, stripe);
    if (member->delete_count > 0 || member->merge_count > 0 ||
        !stoa_view_scan_zones_exclude(scan, table, stripe) ||
        stoa_view_scan_stripe_shares_keys(table, stripe) ||
        others_overlap(scan, skip->run, member)) {
        return false;
    }
    scan->stripes_skipped++;
    return true;
}

/* ---- Columns that decide --------------------------------------------------------------------- */

static void mark_columns(const stoa_predicate *predicate, const stoa_schema *schema, bool *marks) {
    stoa_field_path path;
    for (int32_t i = 0; i < predicate->child_count; i++) {
        mark_columns(predicate->children[i], schema, marks);
    }
    if (predicate->kind >= STOA_PREDICATE_EQUAL &&
        stoa_field_path_find(schema, predicate->field_id, &path)) {
        marks[path.positions[0]] = true;
    }
}

stoa_status stoa_view_scan_filter_init(stoa_view_scan *scan, stoa_error *err) {
    const stoa_definition *definition = scan->definition;
    const size_t columns = (size_t)definition->schema->root.child_count;
    void *marks, *tested, *places;
    STOA_TRY(stoa_arena_allocate_array(&scan->arena, columns, sizeof(bool), &marks, err));
    STOA_TRY(stoa_arena_allocate_array(&scan->arena, columns, sizeof(int32_t), &tested, err));
    STOA_TRY(stoa_arena_allocate_array(&scan->arena, columns, sizeof(void *), &places, err));
    scan->tested = tested;
    scan->tested_columns = places;
    bool *is_tested = marks;
    if (definition->ttl_column >= 0) {
        is_tested[definition->ttl_column] = true;
    }
    if (scan->options.predicate != NULL) {
        mark_columns(scan->options.predicate, definition->schema, is_tested);
        for (int32_t i = 0; i < scan->run_count; i++) {
            scan->skips[i] = (stoa_view_scan_skip){scan, i};
            stoa_merge_set_skip(scan->merge, i, skip_stripe, &scan->skips[i]);
        }
    }
    for (int32_t i = 0; i < (int32_t)columns; i++) {
        if (is_tested[i]) {
            scan->tested[scan->tested_count++] = i;
        }
    }
    return STOA_OK;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* Bit i: row i stays. */
static stoa_status choose_rows(stoa_view_scan *scan, const struct ArrowArray *rows,
                               stoa_error *err) {
    const stoa_definition *definition = scan->definition;
    uint8_t *bits = scan->bits.data;
    if (scan->options.predicate != NULL) {
        STOA_TRY(stoa_predicate_select(scan->options.predicate, definition->schema, rows,
                                       scan->pool, bits, err));
    } else {
        stoa_bitmap_fill(bits, 0, rows->length, true);
    }
    for (int64_t i = 0; definition->ttl_column >= 0 && i < rows->length; i++) {
        if (stoa_bit_get(bits, i) &&
            stoa_definition_is_expired(definition, rows, i, scan->reading.now_ms)) {
            stoa_bit_clear(bits, i);
        }
    }
    return STOA_OK;
}

/* ---- Rows of one stripe ---------------------------------------------------------------------- */

/* The rows of a stripe that make the predicate true, by comparisons on its packed columns. `*out_applied`
 * false: there is more to it than AND and OR of such. As deep as whoever made the predicate let it be. */
static stoa_status select_packed(const stoa_view_scan *scan, const stoa_predicate *predicate,
                                 const stoa_stripe *stripe, uint8_t *bitmap, bool *out_applied,
                                 stoa_error *err) {
    const size_t bytes = stoa_bitmap_bytes(stripe->row_count);
    stoa_field_path path;
    void *memory = NULL;
    *out_applied = false;
    if (predicate->kind >= STOA_PREDICATE_EQUAL) {
        return stoa_field_path_find(scan->definition->schema, predicate->field_id, &path)
                   ? stoa_stripe_select(stripe, scan->pool, path.positions[0], predicate, bitmap,
                                        out_applied, err)
                   : STOA_OK;
    }
    if ((predicate->kind != STOA_PREDICATE_AND && predicate->kind != STOA_PREDICATE_OR) ||
        predicate->child_count == 0) {
        return STOA_OK;
    }
    STOA_TRY(select_packed(scan, predicate->children[0], stripe, bitmap, out_applied, err));
    STOA_TRY(stoa_pool_allocate(scan->pool, bytes, &memory, err));
    stoa_status status = STOA_OK;
    for (int32_t i = 1; i < predicate->child_count && *out_applied && status == STOA_OK; i++) {
        status = select_packed(scan, predicate->children[i], stripe, memory, out_applied, err);
        if (predicate->kind == STOA_PREDICATE_AND) {
            stoa_bits_and(bitmap, memory, bytes);
        } else {
            stoa_bits_or(bitmap, memory, bytes);
        }
    }
    stoa_pool_free(scan->pool, memory, bytes);
    return status;
}

/* The same for rows that follow each other in one stripe, of which they are a good part. */
static stoa_status filter_slice(stoa_view_scan *scan, int64_t count, bool *out_applied,
                                stoa_error *err) {
    int64_t first;
    const stoa_run_window_rows *rows = (const stoa_run_window_rows *)stoa_gather_slice(scan->gather,
                                                                                       &first);
    *out_applied = false;
    if (scan->options.predicate == NULL || scan->definition->ttl_column >= 0 || rows == NULL ||
        rows->stripe == NULL || count < rows->stripe->row_count / 2) {
        return STOA_OK;
    }
    uint8_t bitmap[STOA_STRIPE_ROWS / 8];
    stoa_status status = select_packed(scan, scan->options.predicate, rows->stripe, bitmap,
                                       out_applied, err);
    if (status == STOA_OK) {
        status = stoa_sst_check_map(rows->file->sst, err);
    }
    if (status != STOA_OK) {
        stoa_wrap(err, "'%s', stripe %" PRId64, rows->file->uri, rows->stripe_number);
        return status;
    }
    if (*out_applied) {
        stoa_bitmap_copy(bitmap, rows->first + first, scan->bits.data, 0, count);
    }
    return STOA_OK;
}

/* ---- All rows -------------------------------------------------------------------------------- */

static stoa_status filter_columns(stoa_view_scan *scan, stoa_error *err) {
    struct ArrowArray tested;
    STOA_TRY(stoa_gather_batch(scan->gather, scan->pool, scan->tested, scan->tested_count, &tested,
                               err));
    /* As if all columns were there: nobody looks at the others. */
    struct ArrowArray rows = tested;
    rows.children = scan->tested_columns;
    rows.n_children = scan->definition->schema->root.child_count;
    for (int32_t i = 0; i < scan->tested_count; i++) {
        rows.children[scan->tested[i]] = tested.children[i];
    }
    const stoa_status status = choose_rows(scan, &rows, err);
    stoa_arrow_array_release(&tested);
    return status;
}

stoa_status stoa_view_scan_filter_rows(stoa_view_scan *scan, stoa_error *err) {
    const int64_t count = stoa_gather_row_count(scan->gather);
    stoa_flat_rows rows;
    bool is_applied;
    scan->is_chosen = false;
    if (count == 0 || (scan->options.predicate == NULL && scan->definition->ttl_column < 0)) {
        return STOA_OK;
    }
    STOA_TRY(stoa_buffer_reserve(&scan->bits, stoa_bitmap_bytes(count), err));
    STOA_TRY(filter_slice(scan, count, &is_applied, err));
    if (!is_applied) {
        STOA_TRY(filter_columns(scan, err));
    }
    scan->ready_count = stoa_bitmap_count(scan->bits.data, 0, count);
    if (scan->ready_count == count) {
        return STOA_OK;
    }
    scan->is_chosen = stoa_view_scan_is_flat(scan, &rows);
    if (scan->is_chosen && count % 8 != 0) {
        scan->bits.data[count / 8] &= (uint8_t)((1u << count % 8) - 1);
    }
    return scan->is_chosen ? STOA_OK : stoa_gather_keep(scan->gather, scan->bits.data, err);
}
