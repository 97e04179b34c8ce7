/* Tables whose rows agree with each other at every moment, and the writes that keep them so:
 *
 *   accounts  each transfer adds to one account what it takes from another: all together have nothing
 *   slots     write n of a writer puts n into its slot n % LEDGER_SLOTS, or empties it: what is there tells
 *             how many writes it has seen, and is what these leave, in any state that ever was
 *   rounds    each round deletes all rows and puts others, of its number alone; the slots of the writer
 *             LEDGER_ROUNDS_WRITER have the same number by the same commit
 *
 * ledger_check.h looks at them. Nothing here asserts, since threads and processes call it: what is wrong is
 * told as an error. */
#ifndef STOA_TESTS_LSM_LEDGER_H
#define STOA_TESTS_LSM_LEDGER_H

#include <stdio.h>
#include <string.h>

#include <stoa/state.h>

#include "arrow/builder.h"
#include "lsm/bulk.h"
#include "lsm/store.h"
#include "support.h"

enum {
    LEDGER_ACCOUNTS = 60,
    LEDGER_ROWS_MAX = 80, /* of a table, of a writer's slots */
    LEDGER_SLOTS = 48,
    LEDGER_EMPTIES_EVERY = 7, /* writes of a writer; shares no factor with LEDGER_SLOTS */
    LEDGER_ROUNDS_WRITER = 99,
    LEDGER_TEXT_BYTES = 160,
    LEDGER_CELLS = 4 /* enough for all columns that accounts ever have */
};

struct ledger {
    stoa_pool *pool;
    stoa_store *store;
    stoa_state *accounts;
    stoa_state *slots;
    stoa_state *rounds;
};

static const struct ledger_table {
    int64_t id;
    const char *schema;
    stoa_state_table_options options;
} ledger_tables[] = {
    {1, "id long not null, balance long, note string", {.key = "id", .merge = "balance add"}},
    {2,
     "writer long not null, slot long not null, n long, note string",
     {.key = "writer, slot desc", .compaction = STOA_COMPACTION_TIERED}},
    {3,
     "name string not null, number long, round long, note string",
     {.key = "name", .codec = "lz4"}},
};

/* ---- Opening ---------------------------------------------------------------------------------- */

static inline stoa_status ledger_open_table(const struct ledger *ledger, int i, bool create,
                                            stoa_state **out, stoa_error *err) {
    const struct ledger_table *table = &ledger_tables[i];
    const stoa_schema *schema = NULL;
    const stoa_status found = stoa_store_open_table(ledger->store, table->id, out, err);
    if (found != STOA_NOT_FOUND || !create) {
        return found;
    }
    STOA_TRY(stoa_schema_parse(ledger->pool, table->schema, &schema, err));
    const stoa_status status = stoa_store_create_table(ledger->store, table->id, schema,
                                                       &table->options, err);
    stoa_schema_close(schema);
    return status == STOA_OK ? stoa_store_open_table(ledger->store, table->id, out, err) : status;
}

static inline void ledger_close(struct ledger *ledger) {
    stoa_state_close(ledger->accounts);
    stoa_state_close(ledger->slots);
    stoa_state_close(ledger->rounds);
    stoa_store_close(ledger->store);
    *ledger = (struct ledger){.pool = ledger->pool};
}

/* Opens the store and makes the tables that are missing, unless it is only read. */
static inline stoa_status ledger_open(struct ledger *ledger, const stoa_store_options *options,
                                      stoa_error *err) {
    stoa_state **tables[] = {&ledger->accounts, &ledger->slots, &ledger->rounds};
    *ledger = (struct ledger){.pool = options->context.pool};
    stoa_status status = stoa_store_open(options, &ledger->store, err);
    for (int i = 0; i < 3 && status == STOA_OK; i++) {
        status = ledger_open_table(ledger, i, options->create, tables[i], err);
    }
    if (status != STOA_OK) {
        ledger_close(ledger);
    }
    return status;
}

/* ---- Accounts --------------------------------------------------------------------------------- */

static inline stoa_status ledger_move(const struct ledger *ledger, stoa_state_batch *batch,
                                      int64_t account, int64_t amount, stoa_error *err) {
    const stoa_cell cells[LEDGER_CELLS] = {{.i = account},
                                           {.i = amount},
                                           {.bytes = "moved", .size = 5},
                                           {.is_null = true}};
    return stoa_state_batch_merge(batch, ledger->accounts, cells, err);
}

/* Some transfers in one commit; STOA_CONFLICT when the table was altered meanwhile. */
static inline stoa_status ledger_transfer(const struct ledger *ledger, support_random *random,
                                          stoa_durability durability, stoa_error *err) {
    const uint64_t count = 1 + support_random_below(random, 3);
    stoa_state_batch *batch = NULL;
    stoa_status status = stoa_state_batch_create(ledger->accounts, &batch, err);
    for (uint64_t i = 0; i < count && status == STOA_OK; i++) {
        const int64_t amount = support_random_between(random, -1000, 1000);
        status = ledger_move(ledger, batch, (int64_t)support_random_below(random, LEDGER_ACCOUNTS),
                             amount, err);
        if (status == STOA_OK) {
            status = ledger_move(ledger, batch,
                                 (int64_t)support_random_below(random, LEDGER_ACCOUNTS), -amount,
                                 err);
        }
    }
    if (status == STOA_OK) {
        status = stoa_state_batch_commit(batch, durability, err);
    }
    stoa_state_batch_close(batch);
    return status;
}

/* The next step of a circle: a column comes, is widened, gets another name, and goes. */
static inline stoa_status ledger_alter(const struct ledger *ledger, stoa_error *err) {
    static const stoa_state_alteration steps[] = {
        {.kind = STOA_STATE_ADD_COLUMN, .text = "extra int"},
        {.kind = STOA_STATE_SET_DATA_TYPE, .column = "extra", .text = "long"},
        {.kind = STOA_STATE_RENAME_COLUMN, .column = "extra", .text = "other"},
        {.kind = STOA_STATE_DROP_COLUMN, .column = "other"},
    };
    const stoa_schema *schema = stoa_state_schema(ledger->accounts);
    const stoa_field *last = &schema->root.children[schema->root.child_count - 1];
    int step = 0;
    if (strcmp(last->name, "extra") == 0) {
        step = last->type.kind == STOA_TYPE_INT ? 1 : 2;
    } else if (strcmp(last->name, "other") == 0) {
        step = 3;
    }
    return stoa_store_alter_table(ledger->store, ledger_tables[0].id, &steps[step], 1, err);
}

/* ---- Slots ------------------------------------------------------------------------------------ */

static inline bool ledger_empties(int64_t n) {
    return n % LEDGER_EMPTIES_EVERY == 3;
}

/* Write n of a writer, n from 1 on. */
static inline stoa_status ledger_write(const struct ledger *ledger, int64_t writer, int64_t n,
                                       stoa_durability durability, stoa_error *err) {
    char note[LEDGER_TEXT_BYTES];
    memset(note, 'a' + (int)(n % 26), sizeof note);
    const stoa_cell cells[] = {{.i = writer},
                               {.i = n % LEDGER_SLOTS},
                               {.i = n},
                               {.bytes = note, .size = (size_t)n % sizeof note}};
    return ledger_empties(n) ? stoa_state_delete(ledger->slots, cells, durability, err)
                             : stoa_state_put(ledger->slots, cells, durability, err);
}

/* ---- Rounds ----------------------------------------------------------------------------------- */

static inline int64_t ledger_round_rows(int64_t round) {
    return 10 + round % 31;
}

static inline void ledger_round_name(int64_t round, int64_t number, char out[32]) {
    (void)snprintf(out, 32, "%.*s/%d", (int)(1 + number % 5), "abcde", (int)(number * round % 997));
    (void)snprintf(out + strlen(out), 12, "/%d", (int)number);
}

static inline void ledger_round_cells(int64_t round, int64_t number, char name[32],
                                      stoa_cell out[4]) {
    static const char note[] = "what the round says of this row, often in the same words";
    ledger_round_name(round, number, name);
    out[0] = (stoa_cell){.bytes = name, .size = strlen(name)};
    out[1] = (stoa_cell){.i = number};
    out[2] = (stoa_cell){.i = round};
    out[3] = (stoa_cell){.bytes = note, .size = sizeof note - 1 - (size_t)(number % 16)};
}

static inline stoa_status ledger_renew(const struct ledger *ledger, int64_t round,
                                       stoa_durability durability, stoa_error *err) {
    stoa_state_batch *batch = NULL;
    stoa_cell cells[4];
    char name[32];
    stoa_status status = STOA_OK;
    const stoa_cell slot[] = {{.i = LEDGER_ROUNDS_WRITER},
                              {.i = 0},
                              {.i = round},
                              {.is_null = true}};
    STOA_TRY(stoa_state_batch_create(ledger->rounds, &batch, err));
    STOA_CHECK(stoa_state_batch_delete_range(batch, ledger->rounds, NULL, 0, NULL, 0, err));
    for (int64_t i = 0; i < ledger_round_rows(round); i++) {
        ledger_round_cells(round, i, name, cells);
        STOA_CHECK(stoa_state_batch_put(batch, ledger->rounds, cells, err));
    }
    STOA_CHECK(stoa_state_batch_put(batch, ledger->slots, slot, err));
    status = stoa_state_batch_commit(batch, durability, err);

done:
    stoa_state_batch_close(batch);
    return status;
}

/* ---- Rounds as files, beside the log ------------------------------------------------------------ */

static inline stoa_status ledger_append(stoa_builder *builder, const stoa_schema *schema,
                                        const stoa_cell *cells, stoa_error *err) {
    for (int32_t i = 0; i < schema->root.child_count; i++) {
        stoa_builder *child = stoa_builder_child(builder, i);
        if (cells[i].is_null) {
            STOA_TRY(stoa_builder_append_null(child, err));
        } else if (schema->root.children[i].type.kind == STOA_TYPE_STRING) {
            STOA_TRY(stoa_builder_append_bytes(child, cells[i].bytes, cells[i].size, err));
        } else {
            STOA_TRY(stoa_builder_append_i64(child, cells[i].i, err));
        }
    }
    return stoa_builder_finish_value(builder, err);
}

static inline stoa_status ledger_builder(const struct ledger *ledger, const stoa_schema *schema,
                                         stoa_builder **out, stoa_error *err) {
    struct ArrowSchema arrow = {.release = NULL};
    STOA_TRY(stoa_schema_to_arrow(ledger->pool, schema, &arrow, err));
    const stoa_status status = stoa_builder_create(ledger->pool, &arrow, out, err);
    stoa_arrow_schema_release(&arrow);
    return status;
}

/* A finished load of these rows. */
static inline stoa_status ledger_bulk(const struct ledger *ledger, stoa_state *state,
                                      stoa_builder *builder, stoa_bulk **out, stoa_error *err) {
    struct ArrowArray batch;
    STOA_TRY(stoa_builder_finish(builder, &batch, err));
    stoa_status status = stoa_bulk_create(ledger->store, stoa_state_definition(state),
                                          STOA_OPERATION_PUT, out, err);
    if (status != STOA_OK) {
        stoa_arrow_array_release(&batch);
        return status;
    }
    STOA_TRY(stoa_bulk_put(*out, &batch, err));
    return stoa_bulk_finish(*out, err);
}

/* What ledger_renew does, as a bulk load into both tables. */
static inline stoa_status ledger_renew_in_bulk(const struct ledger *ledger, int64_t round,
                                               stoa_error *err) {
    const stoa_cell slot[] = {{.i = LEDGER_ROUNDS_WRITER},
                              {.i = 0},
                              {.i = round},
                              {.is_null = true}};
    stoa_builder *rows = NULL, *slots = NULL;
    stoa_bulk *bulks[2] = {NULL, NULL};
    stoa_cell cells[4];
    char name[32];
    stoa_status status = STOA_OK;
    STOA_CHECK(ledger_builder(ledger, stoa_state_schema(ledger->rounds), &rows, err));
    STOA_CHECK(ledger_builder(ledger, stoa_state_schema(ledger->slots), &slots, err));
    for (int64_t i = 0; i < ledger_round_rows(round); i++) {
        ledger_round_cells(round, i, name, cells);
        STOA_CHECK(ledger_append(rows, stoa_state_schema(ledger->rounds), cells, err));
    }
    STOA_CHECK(ledger_append(slots, stoa_state_schema(ledger->slots), slot, err));
    STOA_CHECK(ledger_bulk(ledger, ledger->rounds, rows, &bulks[0], err));
    STOA_CHECK(ledger_bulk(ledger, ledger->slots, slots, &bulks[1], err));
    const stoa_bulk_table tables[] =
        {{.state = ledger->rounds, .bulks = &bulks[0], .count = 1, .replaces = true},
         {.state = ledger->slots, .bulks = &bulks[1], .count = 1}};
    status = stoa_bulk_commit(ledger->store, tables, 2, err);

done:
    stoa_bulk_close(bulks[0]);
    stoa_bulk_close(bulks[1]);
    stoa_builder_close(rows);
    stoa_builder_close(slots);
    return status;
}

#endif
