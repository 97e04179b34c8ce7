/* Whether the tables of a ledger (ledger.h) agree with each other at one moment, read in any of the ways
 * that there are, and how much of what was written that moment has. */
#ifndef STOA_TESTS_LSM_LEDGER_CHECK_H
#define STOA_TESTS_LSM_LEDGER_CHECK_H

#include <inttypes.h>

#include "ledger.h"

enum { LEDGER_WRITERS = 4 }; /* numbers from 0 on */

/* What one moment has: no later one has less. */
struct ledger_moment {
    int64_t writes[LEDGER_WRITERS];
    int64_t round;
};

/* Two whole numbers of each row. */
struct ledger_rows {
    int64_t count;
    int64_t left[LEDGER_ROWS_MAX];
    int64_t right[LEDGER_ROWS_MAX];
};

/* ---- Ways to read ----------------------------------------------------------------------------- */

/* Takes the batch. */
static inline stoa_status ledger_add_batch(struct ledger_rows *rows, struct ArrowArray *batch,
                                           stoa_error *err) {
    const int64_t length = batch->length;
    stoa_status status = STOA_OK;
    if (rows->count + length > LEDGER_ROWS_MAX) {
        status = stoa_fail(err, STOA_INTERNAL, "expected at most %d rows", LEDGER_ROWS_MAX);
    } else {
        for (int i = 0; i < 2; i++) {
            const struct ArrowArray *column = batch->children[i];
            const int64_t *values = (const int64_t *)column->buffers[1] + column->offset;
            memcpy((i == 0 ? rows->left : rows->right) + rows->count, values,
                   (size_t)length * sizeof *values);
        }
        rows->count += length;
    }
    stoa_arrow_array_release(batch);
    return status;
}

static inline stoa_status ledger_read_stream(stoa_state *state,
                                             const stoa_state_scan_options *options,
                                             struct ledger_rows *out, stoa_error *err) {
    struct ArrowArrayStream stream = {.release = NULL};
    struct ArrowArray batch = {.release = NULL};
    STOA_TRY(stoa_state_scan(state, options, &stream, err));
    stoa_status status = STOA_OK;
    out->count = 0;
    do {
        status = stoa_stream_next(&stream, &batch, err);
    } while (status == STOA_OK && batch.release != NULL &&
             (status = ledger_add_batch(out, &batch, err)) == STOA_OK);
    stoa_arrow_stream_release(&stream);
    return status;
}

/* Some rows, then all of them from the beginning again. */
static inline stoa_status ledger_read_iterator(stoa_state *state,
                                               const stoa_state_scan_options *options,
                                               support_random *random, struct ledger_rows *out,
                                               stoa_error *err) {
    const int64_t step = support_random_between(random, 1, 50);
    stoa_state_iterator *iterator = NULL;
    struct ArrowArray batch = {.release = NULL};
    STOA_TRY(stoa_state_iterator_create(state, options, &iterator, err));
    stoa_status status = stoa_state_iterator_next(iterator, step, &batch, err);
    stoa_arrow_array_release(&batch);
    if (status == STOA_OK) {
        status = stoa_state_iterator_seek(iterator, NULL, 0, err);
    }
    out->count = 0;
    while (status == STOA_OK &&
           (status = stoa_state_iterator_next(iterator, step, &batch, err)) == STOA_OK &&
           batch.release != NULL) {
        status = ledger_add_batch(out, &batch, err);
    }
    stoa_state_iterator_close(iterator);
    return status;
}

static inline void ledger_turn_round(struct ledger_rows *rows) {
    for (int64_t i = 0, k = rows->count - 1; i < k; i++, k--) {
        const int64_t left = rows->left[i], right = rows->right[i];
        rows->left[i] = rows->left[k];
        rows->right[i] = rows->right[k];
        rows->left[k] = left;
        rows->right[k] = right;
    }
}

/* The columns of all rows whose keys begin with `prefix` (nullable), in the order of their keys; `where`
 * is true of every row. */
static inline stoa_status ledger_read(stoa_state *state, const char *columns, const char *where,
                                      const stoa_cell *prefix, const stoa_state_snapshot *snapshot,
                                      support_random *random, struct ledger_rows *out,
                                      stoa_error *err) {
    const stoa_state_scan_options options = {.columns = columns,
                                             .where = support_random_bool(random) ? where : NULL,
                                             .from = prefix,
                                             .from_count = prefix != NULL,
                                             .to = prefix,
                                             .to_count = prefix != NULL,
                                             .to_included = true,
                                             .reverse = support_random_bool(random),
                                             .snapshot = snapshot};
    int64_t counted = 0;
    STOA_TRY(support_random_bool(random) ? ledger_read_stream(state, &options, out, err)
                                         : ledger_read_iterator(state, &options, random, out, err));
    if (options.reverse) {
        ledger_turn_round(out);
    }
    if (snapshot == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_state_count(state, &options, &counted, err));
    return counted == out->count
               ? STOA_OK
               : stoa_fail(err, STOA_INTERNAL,
                           "expected a count of %" PRId64 " rows but found %" PRId64, out->count,
                           counted);
}

/* ---- Accounts --------------------------------------------------------------------------------- */

static inline stoa_status ledger_check_accounts(const struct ledger *ledger,
                                                const stoa_state_snapshot *snapshot,
                                                support_random *random, stoa_error *err) {
    struct ledger_rows rows;
    int64_t sum = 0;
    STOA_TRY(ledger_read(ledger->accounts, "id, balance", "id >= 0", NULL, snapshot, random, &rows,
                         err));
    for (int64_t i = 0; i < rows.count; i++) {
        sum += rows.right[i];
        if (i > 0 && rows.left[i] <= rows.left[i - 1]) {
            return stoa_fail(err, STOA_INTERNAL, "account %" PRId64 " follows %" PRId64,
                             rows.left[i], rows.left[i - 1]);
        }
    }
    return sum == 0 ? STOA_OK
                    : stoa_fail(err, STOA_INTERNAL,
                                "expected balances with a sum of 0 but found %" PRId64
                                " in %" PRId64 " accounts",
                                sum, rows.count);
}

/* ---- Slots ------------------------------------------------------------------------------------ */

/* Whether `rows` (slots downwards) are what `writes` writes leave. */
static inline bool ledger_is_after(const struct ledger_rows *rows, int64_t writes) {
    int64_t at = 0;
    for (int64_t slot = LEDGER_SLOTS - 1; slot >= 0; slot--) {
        const int64_t last = writes - (writes - slot + LEDGER_SLOTS) % LEDGER_SLOTS;
        if (last < 1 || ledger_empties(last)) {
            continue;
        }
        if (at == rows->count || rows->left[at] != slot || rows->right[at] != last) {
            return false;
        }
        at++;
    }
    return at == rows->count;
}

/* How many writes of the writer there are to be seen. */
static inline stoa_status ledger_count_writes(const struct ledger *ledger, int64_t writer,
                                              const stoa_state_snapshot *snapshot,
                                              support_random *random, int64_t *out,
                                              stoa_error *err) {
    const stoa_cell prefix = {.i = writer};
    struct ledger_rows rows;
    int64_t newest = 0;
    STOA_TRY(ledger_read(ledger->slots, "slot, n", "n > 0", &prefix, snapshot, random, &rows, err));
    for (int64_t i = 0; i < rows.count; i++) {
        newest = rows.right[i] > newest ? rows.right[i] : newest;
    }
    for (*out = newest + 1; *out >= newest; --*out) {
        if ((*out == newest || ledger_empties(*out)) && ledger_is_after(&rows, *out)) {
            return STOA_OK;
        }
    }
    return stoa_fail(err, STOA_INTERNAL,
                     "writer %" PRId64 ": expected what %" PRId64 " writes leave but found %" PRId64
                     " other rows",
                     writer, newest, rows.count);
}

/* ---- Rounds ----------------------------------------------------------------------------------- */

static inline stoa_status ledger_check_round(const struct ledger_rows *rows, int64_t round,
                                             stoa_error *err) {
    uint64_t seen = 0;
    if (rows->count != (round == 0 ? 0 : ledger_round_rows(round))) {
        return stoa_fail(err, STOA_INTERNAL, "round %" PRId64 ": found %" PRId64 " rows", round,
                         rows->count);
    }
    for (int64_t i = 0; i < rows->count; i++) {
        if (rows->right[i] != round) {
            return stoa_fail(err, STOA_INTERNAL,
                             "found rows of the rounds %" PRId64 " and %" PRId64, round,
                             rows->right[i]);
        }
        seen |= UINT64_C(1) << (rows->left[i] & 63);
    }
    return seen == (UINT64_C(1) << rows->count) - 1
               ? STOA_OK
               : stoa_fail(err, STOA_INTERNAL, "round %" PRId64 ": rows are there twice", round);
}

/* `known`: the number that another table has by the same commit; -1: it was not asked. */
static inline stoa_status ledger_check_rounds(const struct ledger *ledger,
                                              const stoa_state_snapshot *snapshot, int64_t known,
                                              support_random *random, int64_t *out,
                                              stoa_error *err) {
    struct ledger_rows rows;
    STOA_TRY(ledger_read(ledger->rounds, "number, round", "round > 0", NULL, snapshot, random,
                         &rows, err));
    *out = known >= 0 ? known : rows.count == 0 ? 0 : rows.right[0];
    return ledger_check_round(&rows, *out, err);
}

/* The number that the slots have of the rounds. */
static inline stoa_status ledger_round_of_slots(const struct ledger *ledger,
                                                const stoa_state_snapshot *snapshot, int64_t *out,
                                                stoa_error *err) {
    const stoa_cell key[] = {{.i = LEDGER_ROUNDS_WRITER}, {.i = 0}};
    stoa_row *row = NULL;
    bool found = false;
    STOA_TRY(stoa_row_create(ledger->slots, "n", &row, err));
    const stoa_status status = stoa_state_get(ledger->slots, key, snapshot, row, &found, err);
    *out = found ? stoa_row_cells(row)->i : 0;
    stoa_row_close(row);
    return status;
}

/* The least and the greatest value are of the same round; of files alone, of memory, or of both. */
static inline stoa_status ledger_check_extremes(const struct ledger *ledger,
                                                const stoa_state_snapshot *snapshot, int64_t round,
                                                stoa_error *err) {
    stoa_cell least, greatest;
    bool found = false;
    STOA_TRY(
        stoa_state_extremes(ledger->rounds, "round", snapshot, &least, &greatest, &found, err));
    if (found != (round > 0) || (found && (least.i != round || greatest.i != round))) {
        return stoa_fail(err, STOA_INTERNAL,
                         "round %" PRId64 ": found extremes %" PRId64 " and %" PRId64, round,
                         found ? least.i : -1, found ? greatest.i : -1);
    }
    return STOA_OK;
}

/* ---- All of it -------------------------------------------------------------------------------- */

static inline stoa_status ledger_check_at(const struct ledger *ledger,
                                          const stoa_state_snapshot *snapshot,
                                          support_random *random, struct ledger_moment *out,
                                          stoa_error *err) {
    int64_t known = 0;
    STOA_TRY(ledger_check_accounts(ledger, snapshot, random, err));
    for (int i = 0; i < LEDGER_WRITERS; i++) {
        STOA_TRY(ledger_count_writes(ledger, i, snapshot, random, &out->writes[i], err));
    }
    STOA_TRY(ledger_round_of_slots(ledger, snapshot, &known, err));
    STOA_TRY(ledger_check_rounds(ledger, snapshot, known, random, &out->round, err));
    return ledger_check_extremes(ledger, snapshot, out->round, err);
}

/* Nothing that `before` has is missing in `after`. */
static inline stoa_status ledger_check_order(const struct ledger_moment *before,
                                             const struct ledger_moment *after, stoa_error *err) {
    for (int i = 0; i < LEDGER_WRITERS; i++) {
        if (after->writes[i] < before->writes[i]) {
            return stoa_fail(err, STOA_INTERNAL,
                             "writer %d: expected at least %" PRId64 " writes but found %" PRId64,
                             i, before->writes[i], after->writes[i]);
        }
    }
    return after->round >= before->round
               ? STOA_OK
               : stoa_fail(err, STOA_INTERNAL,
                           "expected at least round %" PRId64 " but found %" PRId64, before->round,
                           after->round);
}

/* Looks at the present moment, which has all of `*moment`; then it is this one. */
static inline stoa_status ledger_check(const struct ledger *ledger, support_random *random,
                                       struct ledger_moment *moment, stoa_error *err) {
    stoa_state_snapshot *snapshot = NULL;
    struct ledger_moment found;
    STOA_TRY(stoa_state_snapshot_create(ledger->slots, &snapshot, err));
    stoa_status status = ledger_check_at(ledger, snapshot, random, &found, err);
    if (status == STOA_OK) {
        status = ledger_check_order(moment, &found, err);
    }
    stoa_state_snapshot_close(snapshot);
    *moment = status == STOA_OK ? found : *moment;
    return status;
}

#endif
