/* The least and the greatest value of a column: by what files say of themselves where that is exact, by
 * the ends of the key's order for its first column, else by looking at every value. */
#include "arrow/array.h"
#include "base/bits.h"
#include "lsm/cell.h"
#include "lsm/key_kernel.h"
#include "lsm/scan.h"
#include "lsm/store_internal.h"

/* Values as numbers in their order; see stoa_key_numbers. */
struct extremes {
    const stoa_type *type;
    bool is_found;
    uint64_t lower, upper;
};

static void widen(struct extremes *extremes, uint64_t lower, uint64_t upper) {
    extremes->lower = !extremes->is_found || lower < extremes->lower ? lower : extremes->lower;
    extremes->upper = !extremes->is_found || upper > extremes->upper ? upper : extremes->upper;
    extremes->is_found = true;
}

/* False where a zone says too little. Files that are newer than the reader do not count. */
static bool look_at_zones(const stoa_view_reading *reading, int32_t column,
                          struct extremes *extremes) {
    for (int level = 0; level < STOA_LEVELS; level++) {
        const stoa_level *files = &reading->view->version->levels[level];
        for (int64_t i = 0; i < files->count; i++) {
            const stoa_sst *table = files->files[i]->sst;
            if (files->files[i]->info.sequence_min > reading->snapshot) {
                continue;
            }
            for (int64_t j = 0; j < stoa_sst_summary_of(table)->stripe_count; j++) {
                const stoa_zone *zone = stoa_sst_zone(table, j, column);
                if (zone == NULL) {
                    return false;
                }
                if (zone->has_bounds) {
                    widen(extremes, zone->lower, zone->upper);
                } else if (zone->null_count < stoa_sst_stripe_at(table, j)->row_count) {
                    return false;
                }
            }
        }
    }
    return true;
}

static void look_at_values(const struct ArrowArray *array, struct extremes *extremes) {
    enum { BLOCK = 512 };
    uint64_t numbers[BLOCK];
    const uint8_t *validity = array->null_count != 0 ? array->buffers[0] : NULL;
    for (int64_t first = 0; first < array->length; first += BLOCK) {
        const int64_t count = array->length - first < BLOCK ? array->length - first : BLOCK;
        stoa_key_numbers(extremes->type, array, array->offset + first, count, numbers);
        for (int64_t i = 0; i < count; i++) {
            if (validity == NULL || stoa_bit_get(validity, array->offset + first + i)) {
                widen(extremes, numbers[i], numbers[i]);
            }
        }
    }
}

/* The values of a scan, at most `limit` rows of them (0: all). */
static stoa_status look_at_rows(stoa_state *state, const stoa_state_scan_options *options,
                                struct extremes *extremes, stoa_error *err) {
    stoa_state_iterator *iterator = NULL;
    struct ArrowArray rows = {.release = NULL};
    STOA_TRY(stoa_state_iterator_create(state, options, &iterator, err));
    stoa_status status = STOA_OK;
    do {
        stoa_arrow_array_release(&rows);
        STOA_CHECK(stoa_state_iterator_next(iterator, STOA_STRIPE_ROWS, &rows, err));
        if (rows.release != NULL) {
            look_at_values(rows.children[0], extremes);
        }
    } while (rows.release != NULL);

done:
    stoa_arrow_array_release(&rows);
    stoa_state_iterator_close(iterator);
    return status;
}

/* The ends of the order of keys are the ends of the order of their first column. */
static stoa_status look_at_ends(stoa_state *state, stoa_state_scan_options options,
                                struct extremes *extremes, stoa_error *err) {
    options.limit = 1;
    STOA_TRY(look_at_rows(state, &options, extremes, err));
    options.reverse = true;
    return look_at_rows(state, &options, extremes, err);
}

static stoa_status look(stoa_state *state, stoa_state_view *view, int32_t column,
                        const stoa_state_scan_options *options, struct extremes *extremes,
                        stoa_error *err) {
    const stoa_view_reading reading = stoa_state_reading(state, view, options->snapshot);
    int64_t count = 0;
    bool known = false;
    if (view->definition->key.parts[0].column == column) {
        return look_at_ends(state, *options, extremes, err);
    }
    STOA_TRY(stoa_view_scan_count_known(&reading, state->pool, &known, &count, err));
    if (known && look_at_zones(&reading, column, extremes)) {
        return STOA_OK;
    }
    *extremes = (struct extremes){.type = extremes->type};
    return look_at_rows(state, options, extremes, err);
}

static void to_cell(const stoa_type *type, uint64_t number, stoa_cell *out) {
    uint64_t storage[2] = {0};
    const void *buffers[2] = {NULL, storage};
    const struct ArrowArray value = {.length = 1, .n_buffers = 2, .buffers = buffers};
    stoa_key_values(type, &number, 1, (uint8_t *)storage);
    stoa_cell_from_array(type, &value, 0, out);
}

stoa_status stoa_state_extremes(stoa_state *state, const char *column,
                                const stoa_state_snapshot *snapshot, stoa_cell *out_least,
                                stoa_cell *out_greatest, bool *out_found, stoa_error *err) {
    stoa_state_view *view = NULL;
    *out_found = false;
    STOA_TRY(stoa_state_acquire_open(state, &view, err));
    const stoa_schema *schema = view->definition->schema;
    const stoa_state_scan_options options = {.columns = column, .snapshot = snapshot};
    const int32_t index = stoa_schema_column_index(schema, column);
    stoa_status status = STOA_OK;
    if (index < 0) {
        status = stoa_fail(err, STOA_NOT_FOUND, "there is no column '%s'", column);
        goto done;
    }
    struct extremes extremes = {.type = &schema->root.children[index].type};
    const uint8_t width = stoa_key_width(extremes.type);
    if (width == 0 || width > sizeof(uint64_t) || extremes.type->kind == STOA_TYPE_DECIMAL) {
        status = stoa_fail(err, STOA_UNSUPPORTED,
                           "column '%s': extremes are of booleans, numbers, dates, times and "
                           "durations; ask for others in SQL",
                           column);
        goto done;
    }
    STOA_CHECK(look(state, view, index, &options, &extremes, err));
    *out_found = extremes.is_found;
    if (extremes.is_found) {
        to_cell(extremes.type, extremes.lower, out_least);
        to_cell(extremes.type, extremes.upper, out_greatest);
    }

done:
    stoa_state_view_release(view);
    return status;
}
