/* Our reader is given the predicate: it decodes what a condition looks at, and of the other columns only
 * the pages and values of rows that are left. The engine's is not slower without one: it hands over
 * dictionaries as they are and long strings without a copy, counts from footers, and skips by what a
 * join or a top-N finds while it runs. So ours is taken where a condition leaves few rows, of a single
 * table, without a limit; bench/sql_roads has the figures.
 *
 * A predicate is implied by what the engine filters, and so rows that it leaves out are none of the
 * answer. That asks for values which are the same on both sides: see same_values. */
#include "sql/seek.h"

#include "schema/schema.h"

/* The plan that tells the predicate takes about a millisecond: smaller tables are read by then. */
enum { ROWS_MIN = 100000 };

/* Of nested columns, durations and the like the engine's reader makes other types than the table
 * function does. */
static bool same_type(const stoa_type *type) {
    switch (type->kind) {
    case STOA_TYPE_BOOLEAN:
    case STOA_TYPE_INT8:
    case STOA_TYPE_INT16:
    case STOA_TYPE_INT:
    case STOA_TYPE_LONG:
    case STOA_TYPE_UINT8:
    case STOA_TYPE_UINT16:
    case STOA_TYPE_UINT32:
    case STOA_TYPE_UINT64:
    case STOA_TYPE_FLOAT:
    case STOA_TYPE_DOUBLE:
    case STOA_TYPE_DECIMAL:
    case STOA_TYPE_DATE:
    case STOA_TYPE_STRING:
    case STOA_TYPE_BINARY:
    case STOA_TYPE_FIXED:
    case STOA_TYPE_UUID:
    case STOA_TYPE_TIMESTAMP: return true;
    case STOA_TYPE_TIME:
    case STOA_TYPE_TIMESTAMP_TZ: return type->unit == STOA_TYPE_MICROSECONDS;
    default: return false;
    }
}

/* Seconds and milliseconds are microseconds by both roads, but while the plan is explained constants
 * are rounded to them. */
static bool same_values(const stoa_type *type) {
    return type->kind != STOA_TYPE_TIMESTAMP || type->unit == STOA_TYPE_MICROSECONDS ||
           type->unit == STOA_TYPE_NANOSECONDS;
}

bool stoa_sql_seek_can(const stoa_plan *plan) {
    const stoa_type *root = &stoa_plan_table_schema(plan)->root;
    for (int32_t i = 0; i < root->child_count; i++) {
        if (!same_type(&root->children[i].type)) {
            return false;
        }
    }
    return stoa_plan_row_count(plan) >= ROWS_MIN;
}

/* Rows of a file may differ in the column: it is not what the table is partitioned by. */
static bool differs_in_files(const stoa_plan *plan, int32_t field_id) {
    const stoa_partition_spec *spec = stoa_plan_partitions(plan);
    for (int32_t i = 0; spec != NULL && i < spec->field_count; i++) {
        if (spec->fields[i].source_id == field_id) {
            return false;
        }
    }
    return true;
}

bool stoa_sql_seek_is_exact(const stoa_schema *schema, const stoa_predicate *predicate) {
    for (int32_t i = 0; i < predicate->child_count; i++) {
        if (!stoa_sql_seek_is_exact(schema, predicate->children[i])) {
            return false;
        }
    }
    if (predicate->kind < STOA_PREDICATE_EQUAL) {
        return true;
    }
    const stoa_field *field = stoa_schema_field(schema, predicate->field_id);
    return field != NULL && same_values(&field->type);
}

static bool is_bound(const stoa_predicate *predicate, bool upper) {
    return upper ? predicate->kind == STOA_PREDICATE_LESS ||
                       predicate->kind == STOA_PREDICATE_LESS_EQUAL
                 : predicate->kind == STOA_PREDICATE_GREATER ||
                       predicate->kind == STOA_PREDICATE_GREATER_EQUAL;
}

/* A term that is the lower bound of a range, and another that is its upper bound. */
static bool has_range(const stoa_plan *plan, const stoa_predicate *all) {
    for (int32_t i = 0; i < all->child_count; i++) {
        const stoa_predicate *lower = all->children[i];
        for (int32_t j = 0; is_bound(lower, false) && j < all->child_count; j++) {
            if (is_bound(all->children[j], true) && all->children[j]->field_id == lower->field_id) {
                return differs_in_files(plan, lower->field_id);
            }
        }
    }
    return false;
}

/* Whether few rows are likely to make it true. As deep as the plan's filter let it be. */
static bool is_narrow(const stoa_plan *plan, const stoa_predicate *predicate) {
    int32_t narrow = 0;
    for (int32_t i = 0; i < predicate->child_count; i++) {
        narrow += is_narrow(plan, predicate->children[i]);
    }
    switch (predicate->kind) {
    case STOA_PREDICATE_AND: return narrow > 0 || has_range(plan, predicate);
    case STOA_PREDICATE_OR: return narrow == predicate->child_count;
    case STOA_PREDICATE_EQUAL:
    case STOA_PREDICATE_IN:
    case STOA_PREDICATE_STARTS_WITH: return differs_in_files(plan, predicate->field_id);
    default: return false;
    }
}

bool stoa_sql_seek_pays(const stoa_plan *plan, const stoa_predicate *predicate) {
    return predicate != NULL &&
           stoa_sql_seek_is_exact(stoa_plan_table_schema(plan), predicate) &&
           is_narrow(plan, predicate);
}
