/* What a transaction sees: the view of a table at its snapshot, with its own writes as one memtable
 * more, before all others. */
#include "lsm/get.h"
#include "lsm/row_cells.h"
#include "lsm/state_scan.h"
#include "lsm/transaction.h"

static stoa_status make_view(stoa_state_transaction *transaction, struct transaction_table *table,
                             stoa_error *err) {
    const stoa_state_view *source = table->source;
    if (table->own == NULL) {
        table->view = stoa_state_view_retain(table->source);
        return STOA_OK;
    }
    STOA_TRY(stoa_state_view_create(transaction->store->pool, source->definition, source->version,
                                    &table->view, err));
    stoa_state_view_add(table->view, table->own);
    for (int32_t i = 0; i < source->memtable_count; i++) {
        stoa_state_view_add(table->view, source->memtables[i]);
    }
    return STOA_OK;
}

/* A view that is not the newest has what the snapshot sees as well, but keeps files and memtables that
 * are not needed any more. */
stoa_status stoa_state_transaction_view(stoa_state_transaction *transaction,
                                        struct transaction_table *table, stoa_state_view **out,
                                        stoa_error *err) {
    if (atomic_load_explicit(&table->state->view, memory_order_relaxed) != table->source) {
        stoa_state_view_release(table->view);
        stoa_state_view_release(table->source);
        table->view = NULL;
        table->source = NULL;
        STOA_TRY(stoa_state_acquire_open(table->state, &table->source, err));
    }
    if (table->view == NULL) {
        STOA_TRY(make_view(transaction, table, err));
    }
    *out = table->view;
    return STOA_OK;
}

static stoa_status start_reading(stoa_state_transaction *transaction,
                                 struct transaction_table *table, stoa_view_reading *out,
                                 stoa_error *err) {
    *out = (stoa_view_reading){
        .programs = transaction->store->programs,
        .snapshot = transaction->snapshot->sequence,
        .now_ms = stoa_store_now_ms(transaction->store),
    };
    return stoa_state_transaction_view(transaction, table, &out->view, err);
}

static stoa_status get(stoa_state_transaction *transaction, struct transaction_table *table,
                       const stoa_cell *key, stoa_row *row, bool *out_found, stoa_error *err) {
    const stoa_key_format *format = &table->definition->key;
    stoa_view_reading reading;
    STOA_TRY(start_reading(transaction, table, &reading, err));
    stoa_buffer_clear(&transaction->key);
    STOA_TRY(stoa_cells_key(format, key, true, format->part_count, &transaction->key, err));
    return stoa_view_get(&reading, transaction->key.data, transaction->key.size, row, out_found,
                         err);
}

stoa_status stoa_state_transaction_get(stoa_state_transaction *transaction, stoa_state *state,
                                       const stoa_cell *key, stoa_row *row, bool *out_found,
                                       stoa_error *err) {
    struct transaction_table *table;
    STOA_TRY(stoa_state_transaction_use(transaction, state, &table, err));
    return get(transaction, table, key, row, out_found, err);
}

stoa_status stoa_state_transaction_get_for_update(stoa_state_transaction *transaction,
                                                  stoa_state *state, const stoa_cell *key,
                                                  stoa_row *row, bool *out_found, stoa_error *err) {
    struct transaction_table *table;
    STOA_TRY(stoa_state_transaction_use(transaction, state, &table, err));
    STOA_TRY(stoa_state_transaction_track(transaction, table, key, true, err));
    return get(transaction, table, key, row, out_found, err);
}

stoa_status stoa_state_transaction_scan(stoa_state_transaction *transaction, stoa_state *state,
                                        const stoa_state_scan_options *options,
                                        struct ArrowArrayStream *out, stoa_error *err) {
    struct transaction_table *table;
    stoa_view_reading reading;
    stoa_context context = options->context;
    STOA_TRY(stoa_state_transaction_use(transaction, state, &table, err));
    STOA_TRY(start_reading(transaction, table, &reading, err));
    if (context.pool == NULL) {
        context.pool = transaction->store->pool;
    }
    return stoa_view_scan_stream(&reading, &context, options, out, err);
}
