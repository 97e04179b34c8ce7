/* DuckDB 1.5 shows its optimized plan as JSON: json_serialize_plan(sql, optimize := true).
 *
 * While it is bound for that, every reference to a table of ours is a call of stoa_scan with the
 * reference's number (see view.h), and stoa_scan takes no filters, so they stand right above it:
 *
 *     LOGICAL_FILTER  expressions over positions of the scan's projection
 *       └── LOGICAL_GET  parameters [number], column_indexes [columns of the table]
 *
 * or, where a long IN list became a join with its values,
 *
 *     LOGICAL_FILTER
 *       └── LOGICAL_COMPARISON_JOIN (MARK)  left: LOGICAL_GET, right: the values
 *
 * whose first positions are the scan's. A number may appear twice, when the optimizer copied a part
 * of the plan: then a row is needed when either filter wants it. */
#include <jansson.h>
#include <string.h>

#include "mem/buffer.h"
#include "schema/schema.h"
#include "sql/plan_filter.h"
#include "sql/predicate_provider.h"

enum { DEPTH_MAX = 200, DIGITS_MAX = 18 };

struct walk {
    struct view *view;
    struct pruning *prunings; /* by scan number */
    bool *seen;
    int32_t count;
};

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static bool is_type(const json_t *node, const char *name) {
    return strcmp(text_of(node, "type"), name) == 0;
}

/* The number of a scan of ours, or -1. */
static int32_t scan_number(const struct walk *walk, const json_t *node) {
    if (!is_type(node, "LOGICAL_GET") || strcmp(text_of(node, "name"), "stoa_scan") != 0) {
        return -1;
    }
    const json_t *first = json_array_get(json_object_get(node, "parameters"), 0);
    const json_t *value = json_object_get(first, "value");
    json_int_t number = json_is_integer(value) ? json_integer_value(value) : -1;
    return number >= 0 && number < walk->count ? (int32_t)number : -1;
}

static stoa_status read_scope(struct walk *walk, const json_t *get, int32_t number,
                              struct filter_scope *out, stoa_error *err) {
    const json_t *indexes = json_object_get(get, "column_indexes");
    int64_t count = (int64_t)json_array_size(indexes);
    const stoa_schema *schema = walk->view->scans[number]->schema;
    int32_t *columns;
    STOA_TRY(stoa_arena_allocate_array(&walk->view->arena, (size_t)count, sizeof *columns,
                                       (void **)&columns, err));
    for (int64_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(indexes, (size_t)i);
        const json_t *index = json_object_get(entry, "index");
        json_int_t column = json_is_integer(index) ? json_integer_value(index) : -1;
        bool plain = json_array_size(json_object_get(entry, "child_indexes")) == 0;
        bool known = plain && column >= 0 && column < schema->root.child_count;
        columns[i] = known ? (int32_t)column : -1;
    }
    *out = (struct filter_scope){&walk->view->arena, schema, columns, count};
    return STOA_OK;
}

/* The scan that the filter's positions count, if it stands right below. */
static const json_t *filtered_get(const json_t *filter) {
    const json_t *child = json_array_get(json_object_get(filter, "children"), 0);
    if (is_type(child, "LOGICAL_COMPARISON_JOIN") &&
        strcmp(text_of(child, "join_type"), "MARK") == 0 &&
        json_array_size(json_object_get(child, "left_projection_map")) == 0) {
        child = json_array_get(json_object_get(child, "children"), 0);
    }
    return is_type(child, "LOGICAL_GET") ? child : NULL;
}

static stoa_status note_scan(struct walk *walk, int32_t number, const stoa_predicate *predicate,
                             stoa_error *err) {
    struct pruning *pruning = &walk->prunings[number];
    if (!walk->seen[number]) {
        walk->seen[number] = true;
        pruning->predicate = predicate;
        return STOA_OK;
    }
    const stoa_predicate *both[2] = {pruning->predicate, predicate};
    return stoa_sql_predicate_join(&walk->view->arena, STOA_PREDICATE_OR, both, 2,
                                   &pruning->predicate, err);
}

static stoa_status note_filter(struct walk *walk, const json_t *filter, const json_t *get,
                               stoa_error *err) {
    int32_t number = scan_number(walk, get);
    if (number < 0) {
        return STOA_OK;
    }
    struct filter_scope scope;
    STOA_TRY(read_scope(walk, get, number, &scope, err));
    const json_t *expressions = json_object_get(filter, "expressions");
    size_t count = json_array_size(expressions);
    const stoa_predicate **parts;
    STOA_TRY(stoa_arena_allocate_array(scope.arena, count, sizeof *parts, (void **)&parts, err));
    for (size_t i = 0; i < count; i++) {
        STOA_TRY(stoa_sql_plan_filter(&scope, json_array_get(expressions, i), &parts[i], err));
    }
    const stoa_predicate *all;
    STOA_TRY(
        stoa_sql_predicate_join(scope.arena, STOA_PREDICATE_AND, parts, (int32_t)count, &all, err));
    return note_scan(walk, number, all, err);
}

/* `filtered` is a scan that was noted with its filter already. */
static stoa_status walk_node(struct walk *walk, const json_t *node, const json_t *filtered,
                             int depth, stoa_error *err) {
    if (depth > DEPTH_MAX) {
        return stoa_fail(err, STOA_UNSUPPORTED, "the plan is deeper than %d nodes", DEPTH_MAX);
    }
    if (is_type(node, "LOGICAL_FILTER")) {
        const json_t *get = filtered_get(node);
        if (get != NULL) {
            STOA_TRY(note_filter(walk, node, get, err));
            filtered = get;
        }
    }
    int32_t number = node != filtered ? scan_number(walk, node) : -1;
    if (number >= 0) {
        STOA_TRY(note_scan(walk, number, NULL, err));
    }
    const json_t *children = json_object_get(node, "children");
    for (size_t i = 0; i < json_array_size(children); i++) {
        STOA_TRY(walk_node(walk, json_array_get(children, i), filtered, depth + 1, err));
    }
    return STOA_OK;
}

static stoa_status walk_plan(struct view *view, const json_t *root, stoa_error *err) {
    struct walk walk = {.view = view, .count = view->scan_count};
    size_t count = (size_t)view->scan_count;
    STOA_TRY(stoa_arena_allocate_array(&view->arena, count, sizeof *walk.prunings,
                                       (void **)&walk.prunings, err));
    STOA_TRY(stoa_arena_allocate_array(&view->arena, count, sizeof *walk.seen, (void **)&walk.seen,
                                       err));
    const json_t *plans = json_object_get(root, "plans");
    if (!json_is_false(json_object_get(root, "error")) || json_array_size(plans) != 1) {
        return STOA_OK; /* what is wrong with the query is said when it is prepared */
    }
    STOA_TRY(walk_node(&walk, json_array_get(plans, 0), NULL, 0, err));
    for (int32_t i = 0; i < walk.count; i++) {
        STOA_TRY(stoa_arena_copy_text(&view->arena, view->scans[i]->name,
                                      strlen(view->scans[i]->name), &walk.prunings[i].name, err));
    }
    view->prunings = walk.prunings;
    view->pruning_count = walk.count;
    return STOA_OK;
}

/* Numbers of the plan's that do not fit 64 signed bits would make all of it unreadable: a number of
 * more than 18 digits becomes null, which says nothing. */
static void blank_long_numbers(char *json) {
    bool quoted = false;
    for (char *at = json; *at != '\0'; at++) {
        if (*at == '\\' && quoted && at[1] != '\0') {
            at++;
        } else if (*at == '"') {
            quoted = !quoted;
        } else if (!quoted && (*at == '-' || (*at >= '0' && *at <= '9'))) {
            size_t size = strspn(at, "-+0123456789.eE");
            if (size > DIGITS_MAX && strcspn(at, ".eE") >= size) {
                memset(at, ' ', size);
                memcpy(at, "null", 4);
            }
            at += size - 1;
        }
    }
}

static stoa_status fetch_plan(struct view *view, duckdb_connection connection, const char *query,
                              stoa_buffer *out, stoa_error *err) {
    const struct duckdb_api *api = view->engine->api;
    duckdb_result result;
    memset(&result, 0, sizeof result);
    struct binding binding;
    stoa_status status = STOA_OK;
    stoa_sql_engine_enter(view->engine, &binding, view);
    duckdb_state state = api->query(connection, query, &result);
    stoa_sql_engine_leave(view->engine, &binding);
    duckdb_data_chunk chunk = state == DuckDBSuccess ? api->fetch_chunk(result) : NULL;
    if (chunk != NULL && api->data_chunk_get_size(chunk) == 1) {
        duckdb_vector vector = api->data_chunk_get_vector(chunk, 0);
        const duckdb_string_t *text = api->vector_get_data(vector);
        uint32_t size = text->value.inlined.length;
        const char *bytes = size <= 12 ? text->value.inlined.inlined : text->value.pointer.ptr;
        status = stoa_buffer_append(out, bytes, size, err);
    }
    api->destroy_data_chunk(&chunk);
    api->destroy_result(&result);
    return status;
}

static stoa_status find(struct view *view, duckdb_connection connection, const char *sql,
                        stoa_error *err) {
    stoa_buffer query;
    stoa_buffer plan;
    const char *text = NULL;
    json_t *root = NULL;
    stoa_status status = STOA_OK;
    stoa_buffer_init(&query, view->pool);
    stoa_buffer_init(&plan, view->pool);
    view->prunings = NULL;
    view->pruning_count = 0;
    stoa_sql_view_begin(view, VIEW_EXPLAIN);
    STOA_CHECK(stoa_buffer_append_text(&query, "SELECT json_serialize_plan(", err));
    STOA_CHECK(stoa_sql_literal_print(sql, &query, err));
    STOA_CHECK(stoa_buffer_append_text(&query, ", skip_null := true, optimize := true)", err));
    STOA_CHECK(stoa_buffer_text(&query, &text, err));
    STOA_CHECK(fetch_plan(view, connection, text, &plan, err));
    /* An error of a callback while explaining comes again when the query is prepared. */
    (void)stoa_sql_progress_take_error(view->progress, NULL);
    STOA_CHECK(stoa_buffer_append_byte(&plan, '\0', err));
    blank_long_numbers((char *)plan.data);
    root = json_loads((const char *)plan.data, 0, NULL);
    status = root != NULL ? walk_plan(view, root, err) : STOA_OK;
    if (status == STOA_UNSUPPORTED) {
        stoa_error_clear(err);
        status = STOA_OK;
    }

done:
    json_decref(root);
    stoa_buffer_release(&query);
    stoa_buffer_release(&plan);
    return status;
}

const struct predicate_provider stoa_sql_predicate_provider_v1_5 = {"v1.5.", find};
