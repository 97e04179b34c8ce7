/* Changing the columns of a table without rewriting its rows.
 *
 * Files name the fields that they have by id, and are read by whatever columns the table has now. Memory
 * and log do not: rows in them lie by one layout. So a definition is exchanged at a moment when no row
 * of the table is in memory, which is also when no record that is still needed has one: under the commit
 * lock, after a flush. One edit of the manifest says it. A crash before it leaves the old definition and
 * a log of it, one after it the new one; records name the schema of their rows, and replaying refuses
 * any other. Writers are held up while the last of their rows are flushed, but only for a moment, since
 * one of them may be what the flush waits for.
 *
 * A stoa_state has one definition: another one takes its place, and handles to the old one are refused
 * from then on, because programs give as many cells as there were columns when they opened it. */
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "lsm/store_internal.h"
#include "lsm/stripe_schema.h"
#include "schema/internal.h"
#include "schema/schema.h"
#include "schema/unify.h"

enum {
    TRIES = 20,   /* until no row is in memory */
    WAIT_MS = 200 /* that a writer is held up, at most */
};
static const struct timespec wait_step = {.tv_nsec = 1000 * 1000};

/* ---- Schemas --------------------------------------------------------------------------------- */

/* The columns that are made from `schema`, in the arena. */
struct columns {
    stoa_arena arena;
    const stoa_definition *definition; /* the table's */
    const stoa_schema *schema;
    const stoa_schema *parsed; /* of the text; columns may be borrowed from it */
    stoa_field *list;
    int32_t count;
    int32_t id_max;
    stoa_error *err;
};

static stoa_status find_column(const struct columns *columns, const char *name, int32_t *out) {
    *out = name == NULL ? -1 : stoa_schema_column_index(columns->schema, name);
    return *out >= 0 ? STOA_OK
                     : stoa_fail(columns->err, STOA_INVALID, "there is no column '%.100s'",
                                 name == NULL ? "" : name);
}

static stoa_status refuse_key(const struct columns *columns, int32_t column) {
    const stoa_field *field = &columns->list[column];
    for (int32_t i = 0; i < columns->definition->key.part_count; i++) {
        if (columns->definition->key.parts[i].field->id == field->id) {
            return stoa_fail(columns->err, STOA_INVALID,
                             "column '%.100s' is of the key, and can only be renamed", field->name);
        }
    }
    return STOA_OK;
}

/* Fields with ids that the table never gave. As deep as a schema. */
static stoa_status shift_ids(struct columns *columns, const stoa_field *fields, int32_t count,
                             stoa_field *out) {
    for (int32_t i = 0; i < count; i++) {
        stoa_field *children = NULL;
        out[i] = fields[i];
        if (columns->id_max == INT32_MAX) {
            return stoa_fail(columns->err, STOA_LIMIT, "no ids of fields are left");
        }
        out[i].id = ++columns->id_max;
        if (fields[i].type.child_count > 0) {
            STOA_TRY(stoa_arena_allocate_array(&columns->arena, (size_t)fields[i].type.child_count,
                                               sizeof *children, (void **)&children, columns->err));
            STOA_TRY(
                shift_ids(columns, fields[i].type.children, fields[i].type.child_count, children));
            out[i].type.children = children;
        }
    }
    return STOA_OK;
}

static stoa_status add_columns(struct columns *columns, const stoa_schema *added) {
    const int32_t count = added->root.child_count;
    stoa_field *list = NULL;
    for (int32_t i = 0; i < count; i++) {
        if (added->root.children[i].required) {
            return stoa_fail(columns->err, STOA_INVALID,
                             "column '%.100s' would be null in the rows that are there: expected "
                             "it without 'not null'",
                             added->root.children[i].name);
        }
    }
    STOA_TRY(stoa_arena_allocate_array(&columns->arena, (size_t)columns->count + (size_t)count,
                                       sizeof *list, (void **)&list, columns->err));
    memcpy(list, columns->list, (size_t)columns->count * sizeof *list);
    STOA_TRY(shift_ids(columns, added->root.children, count, list + columns->count));
    columns->list = list;
    columns->count += count;
    return STOA_OK;
}

static bool is_number(stoa_type_kind kind) {
    return stoa_type_is_signed_integer(kind) || stoa_type_is_unsigned_integer(kind) ||
           kind == STOA_TYPE_FLOAT || kind == STOA_TYPE_DOUBLE;
}

static stoa_status set_type(struct columns *columns, int32_t column, const stoa_type *type) {
    stoa_field *field = &columns->list[column];
    const stoa_definition *definition = columns->definition;
    const bool same_kind = is_number(field->type.kind) == is_number(type->kind) &&
                           (is_number(type->kind) || (field->type.kind == STOA_TYPE_DECIMAL &&
                                                      type->kind == STOA_TYPE_DECIMAL));
    if (stoa_type_equal(&field->type, type, false)) {
        return STOA_OK;
    }
    if (!same_kind) {
        return stoa_fail(columns->err, STOA_UNSUPPORTED,
                         "column '%.100s' of type %s cannot become %s: only numbers are widened",
                         field->name, stoa_type_describe(&field->type).text,
                         stoa_type_describe(type).text);
    }
    if (!stoa_type_widens(&field->type, type)) {
        return stoa_fail(columns->err, STOA_INVALID,
                         "column '%.100s': expected a type that holds the values of %s but found "
                         "%s",
                         field->name, stoa_type_describe(&field->type).text,
                         stoa_type_describe(type).text);
    }
    for (int32_t i = 0; i < definition->schema->root.child_count; i++) {
        if (definition->schema->root.children[i].id == field->id &&
            definition->operators[i] == STOA_MERGE_PROGRAM) {
            return stoa_fail(columns->err, STOA_UNSUPPORTED,
                             "column '%.100s' is merged by a program, which knows its type",
                             field->name);
        }
    }
    field->type = *type;
    return STOA_OK;
}

/* Parses `text`; `as_type`: of a column whose name does not matter. */
static stoa_status parse_text(struct columns *columns, const char *text, bool as_type) {
    stoa_buffer whole;
    const char *view = NULL;
    stoa_buffer_init(&whole, columns->arena.pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_buffer_append_format(&whole, columns->err, "%s%s", as_type ? "c " : "",
                                         text == NULL ? "" : text));
    STOA_CHECK(stoa_buffer_text(&whole, &view, columns->err));
    STOA_CHECK(stoa_schema_parse(columns->arena.pool, view, &columns->parsed, columns->err));
    const stoa_type *root = &columns->parsed->root;
    if (as_type && (root->child_count != 1 || root->children[0].required)) {
        status = stoa_fail(columns->err, STOA_INVALID, "expected a type but found '%.100s'", text);
    }

done:
    stoa_buffer_release(&whole);
    return status;
}

static stoa_status change_columns(struct columns *columns, const stoa_state_alteration *change) {
    int32_t column = 0;
    if (change->kind == STOA_STATE_ADD_COLUMN) {
        STOA_TRY(parse_text(columns, change->text, false));
        return add_columns(columns, columns->parsed);
    }
    STOA_TRY(find_column(columns, change->column, &column));
    if (change->kind != STOA_STATE_RENAME_COLUMN) {
        STOA_TRY(refuse_key(columns, column));
    }
    switch (change->kind) {
    case STOA_STATE_DROP_COLUMN:
        memmove(columns->list + column, columns->list + column + 1,
                (size_t)(columns->count - column - 1) * sizeof *columns->list);
        columns->count--;
        return STOA_OK;
    case STOA_STATE_RENAME_COLUMN:
        columns->list[column].name = change->text == NULL ? "" : change->text;
        return STOA_OK;
    case STOA_STATE_SET_DATA_TYPE:
        STOA_TRY(parse_text(columns, change->text, true));
        return set_type(columns, column, &columns->parsed->root.children[0].type);
    case STOA_STATE_DROP_NOT_NULL: columns->list[column].required = false; return STOA_OK;
    default:
        return stoa_fail(columns->err, STOA_INVALID, "expected a kind of alteration but found %d",
                         (int)change->kind);
    }
}

/* Takes `*schema`'s place: the schema after one alteration. */
static stoa_status alter_schema(stoa_pool *pool, const stoa_definition *definition,
                                const stoa_state_alteration *change, const stoa_schema **schema,
                                stoa_error *err) {
    const stoa_schema *after = NULL;
    struct columns columns = {.definition = definition,
                              .schema = *schema,
                              .count = (*schema)->root.child_count,
                              .id_max = (*schema)->field_id_max,
                              .err = err};
    stoa_arena_init(&columns.arena, pool);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_arena_allocate_array(&columns.arena, (size_t)columns.count,
                                         sizeof *columns.list, (void **)&columns.list, err));
    memcpy(columns.list, (*schema)->root.children, (size_t)columns.count * sizeof *columns.list);
    STOA_CHECK(change_columns(&columns, change));
    STOA_CHECK(stoa_schema_create_version(pool, columns.list, columns.count,
                                          definition->schema->schema_id + 1, columns.id_max, &after,
                                          err));
    stoa_schema_close(*schema);
    *schema = after;

done:
    stoa_schema_close(columns.parsed);
    stoa_arena_release(&columns.arena);
    return status;
}

static stoa_status make_definition(stoa_pool *pool, const stoa_definition *definition,
                                   const stoa_state_alteration *alterations, int32_t count,
                                   stoa_definition **out, stoa_error *err) {
    const stoa_schema *schema = stoa_schema_retain(definition->schema);
    stoa_status status = STOA_OK;
    if (schema->schema_id == INT32_MAX) {
        STOA_CHECK(stoa_fail(err, STOA_LIMIT, "no ids of schemas are left"));
    }
    for (int32_t i = 0; i < count; i++) {
        STOA_CHECK(alter_schema(pool, definition, &alterations[i], &schema, err));
    }
    STOA_CHECK(stoa_definition_alter(pool, definition, schema, out, err));

done:
    stoa_schema_close(schema);
    return status;
}

/* ---- Exchanging definitions ------------------------------------------------------------------ */

struct alteration {
    stoa_store *store;
    stoa_state *state;
    stoa_state *successor;
    stoa_version *reopened; /* what files there were when it began */
    stoa_buffer text;       /* of the definition, for the manifest */
};

/* Opening files takes its time, so most are before any lock. */
static stoa_status prepare(struct alteration *alteration, stoa_definition *after,
                           stoa_error *err) {
    stoa_state_view *view = stoa_state_acquire(alteration->state);
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_store_reopen_version(alteration->store, view->version, after, NULL,
                                         &alteration->reopened, err));
    STOA_CHECK(stoa_state_create_for(alteration->store, alteration->state->id, after,
                                     alteration->reopened, &alteration->successor, err));
    STOA_CHECK(stoa_definition_print(after, &alteration->text, err));

done:
    stoa_state_view_release(view);
    return status;
}

/* With commit_lock: whether no row of the table is in memory. */
static bool is_in_files(stoa_state *state) {
    stoa_store *store = state->store;
    bool found = state->has_rows;
    pthread_mutex_lock(&store->lock);
    for (const stoa_store_generation *g = store->oldest; g != NULL; g = g->next) {
        for (int64_t i = 0; i < g->count; i++) {
            found = found || g->items[i].state == state;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return !found;
}

stoa_status stoa_state_make_sure(stoa_state *state, stoa_error *err) {
    /* An edit that is known to be durable says that those before it which failed are not there. */
    STOA_TRY(stoa_store_change_files(state->store, &(stoa_store_change){0}, err));
    state->is_unsure = false;
    return STOA_OK;
}

/* With commit_lock. */
static stoa_status exchange(const struct alteration *alteration, stoa_error *err) {
    stoa_state *state = alteration->state;
    const stoa_manifest_table table = {.id = state->id,
                                       .definition = (const char *)alteration->text.data};
    const stoa_store_change change = {.table = &table,
                                      .altered = state,
                                      .successor = alteration->successor,
                                      .reopened = alteration->reopened};
    const stoa_status status = stoa_store_change_files(alteration->store, &change, err);
    if (status != STOA_OK) {
        /* Rows of the old layout must not follow an edit that may be there after all. */
        state->is_unsure = true;
        STOA_IGNORE(stoa_state_make_sure(state, NULL)); /* else the next write tries */
    }
    return status;
}

static stoa_status try_exchange(struct alteration *alteration, bool *out_done, stoa_error *err) {
    stoa_store *store = alteration->store;
    const stoa_state *state = alteration->state;
    stoa_status status = STOA_OK;
    *out_done = false;
    pthread_mutex_lock(&store->commit_lock);
    if (atomic_load_explicit(&state->is_dropped, memory_order_acquire)) {
        status = stoa_fail(err, STOA_NOT_FOUND, "the table was dropped");
    } else if (stoa_state_check_current(state, NULL) != STOA_OK) {
        status = stoa_fail(err, STOA_CONFLICT, "the table was altered by somebody else");
    } else if (is_in_files(alteration->state)) {
        status = exchange(alteration, err);
        *out_done = status == STOA_OK;
    }
    pthread_mutex_unlock(&store->commit_lock);
    return status;
}

void stoa_state_wait_altered(stoa_state *state) {
    const int64_t begun_ns = stoa_clock_monotonic_ns();
    for (int i = 0; i < WAIT_MS && atomic_load_explicit(&state->is_altering, memory_order_relaxed);
         i++) {
        (void)nanosleep(&wait_step, NULL);
    }
    stoa_store_count_stall(state->store, STOA_STALL_ALTER, stoa_clock_monotonic_ns() - begun_ns);
}

static stoa_status alter(struct alteration *alteration, stoa_definition *after,
                         stoa_error *err) {
    stoa_status status = STOA_OK;
    bool done = false;
    STOA_TRY(stoa_store_flush(alteration->store, err)); /* most of it, while nobody waits */
    STOA_TRY(prepare(alteration, after, err));
    atomic_store_explicit(&alteration->state->is_altering, true, memory_order_relaxed);
    for (int i = 0; i < TRIES && status == STOA_OK && !done; i++) {
        status = stoa_store_flush(alteration->store, err);
        if (status == STOA_OK) {
            status = try_exchange(alteration, &done, err);
        }
    }
    atomic_store_explicit(&alteration->state->is_altering, false, memory_order_relaxed);
    return status != STOA_OK || done
               ? status
               : stoa_fail(err, STOA_CONFLICT,
                           "others wrote into the table whenever its memory had been flushed");
}

stoa_status stoa_store_alter_table(stoa_store *store, int64_t id,
                                   const stoa_state_alteration *alterations, int32_t count,
                                   stoa_error *err) {
    struct alteration alteration = {.store = store};
    stoa_definition *after = NULL;
    STOA_TRY(stoa_store_check_writable(store, err));
    STOA_TRY(stoa_store_open_table(store, id, &alteration.state, err));
    stoa_buffer_init(&alteration.text, store->pool);
    stoa_status status = make_definition(store->pool, stoa_state_definition(alteration.state),
                                         alterations, count, &after, err);
    if (status == STOA_OK) {
        status = alter(&alteration, after, err);
    }
    stoa_buffer_release(&alteration.text);
    stoa_state_release(alteration.successor);
    stoa_version_release(alteration.reopened);
    stoa_definition_release(after);
    stoa_state_release(alteration.state);
    return status;
}
