/* Options are checked and copied; ranges of rows are looked up by bisection when a lane asks for its
 * next window. How row groups become parts: read_parts.c. */
#include "parquet/read_plan.h"

#include "base/checked.h"
#include "parquet/read_dictionary.h"
#include "parquet/read_parts.h"
#include "schema/predicate_build.h"

/* ---- Rows ------------------------------------------------------------------------------------ */

/* The first range that ends behind `row` (of the file); all rows where none were given. */
static bool range_behind(const stoa_read_plan *plan, int64_t row, int64_t *out_first,
                         int64_t *out_end) {
    const stoa_parquet_read_options *options = &plan->options;
    *out_first = 0;
    *out_end = INT64_MAX;
    if (options->ranges == NULL) {
        return true;
    }
    int32_t low = 0, high = options->range_count;
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if (options->ranges[middle].first + options->ranges[middle].count > row) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    if (low == options->range_count) {
        return false;
    }
    *out_first = options->ranges[low].first;
    *out_end = options->ranges[low].first + options->ranges[low].count;
    return true;
}

bool stoa_read_plan_window(const stoa_read_plan *plan, const stoa_read_part *part, int64_t row,
                           stoa_read_window *out) {
    const int64_t part_end = part->group_first + part->end;
    int64_t first, end;
    row += part->group_first;
    if (row >= part_end || !range_behind(plan, row, &first, &end) || first >= part_end) {
        return false;
    }
    first = first > row ? first : row;
    end = end < part_end ? end : part_end;
    const int64_t count = end - first;
    *out = (stoa_read_window){.group = part->group,
                              .first = first - part->group_first,
                              .count = count < plan->options.batch_rows ? count
                                                                        : plan->options.batch_rows};
    return true;
}

/* ---- Columns --------------------------------------------------------------------------------- */

/* Fills `leaves`, when it is there, and counts. As deep as a schema is. */
static int32_t list_leaves(const stoa_read_node *node, const stoa_read_node **leaves,
                           int32_t count) {
    if (node->child_count == 0 && node->kind != STOA_TYPE_STRUCT) {
        if (leaves != NULL) {
            leaves[count] = node;
        }
        return count + 1;
    }
    for (int32_t i = 0; i < node->child_count; i++) {
        count = list_leaves(&node->children[i], leaves, count);
    }
    return count;
}

int32_t stoa_read_plan_leaves(const stoa_read_node *node) {
    return list_leaves(node, NULL, 0);
}

/* The first leaf below a nested field is enough to tell where it is null. */
static stoa_status add_leaf(stoa_read_plan *plan, int32_t field_id, stoa_error *err) {
    const stoa_read_node *node = stoa_read_schema_find(&plan->reader->root, field_id);
    if (node == NULL) {
        return stoa_fail(err, STOA_INVALID,
                         "the predicate refers to field %" PRId32
                         ", which is no field of the schema outside lists and maps",
                         field_id);
    }
    while (node->child_count > 0) {
        node = &node->children[0];
    }
    for (int32_t i = 0; i < plan->leaf_count; i++) {
        if (plan->leaves[i]->leaf == node->leaf) {
            return STOA_OK;
        }
    }
    plan->leaves[plan->leaf_count++] = node;
    return STOA_OK;
}

/* As deep as predicates may be: stoa_read_filter_create refuses deeper ones. */
static stoa_status add_leaves(stoa_read_plan *plan, const stoa_predicate *predicate, int depth,
                              stoa_error *err) {
    for (int32_t i = 0; i < predicate->child_count && depth < STOA_PREDICATE_DEPTH_MAX; i++) {
        STOA_TRY(add_leaves(plan, predicate->children[i], depth + 1, err));
    }
    return predicate->child_count == 0 && predicate->kind >= STOA_PREDICATE_EQUAL
               ? add_leaf(plan, predicate->field_id, err)
               : STOA_OK;
}

static stoa_status make_leaves(stoa_read_plan *plan, stoa_error *err) {
    void *leaves = NULL;
    const stoa_predicate *predicate = plan->options.predicate;
    const int32_t count = predicate == NULL ? list_leaves(&plan->root, NULL, 0)
                                            : plan->reader->footer.leaf_count;
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, (size_t)count, sizeof *plan->leaves, &leaves,
                                       err));
    plan->leaves = leaves;
    plan->leaf_count = list_leaves(&plan->root, plan->leaves, 0);
    STOA_TRY(predicate == NULL ? STOA_OK : add_leaves(plan, predicate, 1, err));
    for (int32_t i = 0; i < plan->leaf_count; i++) {
        if (plan->leaves[i]->refusal != NULL) {
            return stoa_fail(err, STOA_UNSUPPORTED, "%s; 'stoa cat --columns' reads the others",
                             plan->leaves[i]->refusal);
        }
    }
    return STOA_OK;
}

/* ---- Dictionaries ---------------------------------------------------------------------------- */

static bool is_encoded(const stoa_read_plan *plan, const stoa_read_node *node) {
    const stoa_parquet_read_options *options = &plan->options;
    if (node->value_class != STOA_READ_BYTES || node->child_count > 0) {
        return false;
    }
    for (int32_t i = 0; i < options->dictionary_count; i++) {
        if (options->dictionary_ids[i] == node->field_id) {
            return true;
        }
    }
    return options->dictionary_all;
}

/* Leaves in the order of list_leaves; those of a variant are put together, so they stay as they are. */
static int32_t mark_encoded(stoa_read_plan *plan, const stoa_read_node *node, bool in_variant,
                            int32_t index) {
    if (node->child_count == 0 && node->kind != STOA_TYPE_STRUCT) {
        plan->encodes[index] = !in_variant && is_encoded(plan, node);
        return index + 1;
    }
    for (int32_t i = 0; i < node->child_count; i++) {
        index = mark_encoded(plan, &node->children[i], in_variant || node->shred != NULL, index);
    }
    return index;
}

static stoa_status choose_encoded(stoa_read_plan *plan, stoa_error *err) {
    const stoa_parquet_read_options *options = &plan->options;
    void *memory = NULL;
    if (options->predicate != NULL && (options->dictionary_all || options->dictionary_count > 0)) {
        return stoa_fail(err, STOA_UNSUPPORTED,
                         "dictionary-encoded columns of rows that a predicate selects");
    }
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, (size_t)plan->leaf_count, sizeof(bool),
                                       &memory, err));
    plan->encodes = memory;
    (void)mark_encoded(plan, &plan->root, false, 0);
    for (int32_t i = 0; i < options->dictionary_count; i++) {
        bool found = false;
        for (int32_t k = 0; k < plan->leaf_count && !found; k++) {
            found = plan->encodes[k] && plan->leaves[k]->field_id == options->dictionary_ids[i];
        }
        if (!found) {
            return stoa_fail(err, STOA_INVALID,
                             "field %" PRId32 " is no column of strings or binaries that is read",
                             options->dictionary_ids[i]);
        }
    }
    return STOA_OK;
}

/* As mark_encoded. As deep as a schema is. */
static stoa_status encode_fields(stoa_pool *pool, const stoa_read_plan *plan,
                                 const stoa_read_node *node, struct ArrowSchema *schema,
                                 int32_t *index, stoa_error *err) {
    if (node->child_count == 0 && node->kind != STOA_TYPE_STRUCT) {
        return plan->encodes[(*index)++] ? stoa_read_dictionary_field(pool, schema, err) : STOA_OK;
    }
    if (node->shred != NULL) {
        *index += stoa_read_plan_leaves(node);
        return STOA_OK;
    }
    struct ArrowSchema *fields = node->kind == STOA_TYPE_MAP ? schema->children[0] : schema;
    for (int32_t i = 0; i < node->child_count; i++) {
        STOA_TRY(
            encode_fields(pool, plan, &node->children[i], fields->children[i], index, err));
    }
    return STOA_OK;
}

stoa_status stoa_read_plan_arrow(const stoa_read_plan *plan, struct ArrowSchema *out,
                                 stoa_error *err) {
    stoa_pool *pool = plan->reader->context.pool;
    int32_t index = 0;
    STOA_TRY(stoa_schema_to_arrow(pool, plan->schema, out, err));
    const stoa_status status = encode_fields(pool, plan, &plan->root, out, &index, err);
    if (status != STOA_OK) {
        stoa_arrow_schema_release(out);
    }
    return status;
}

static stoa_status project(stoa_read_plan *plan, stoa_error *err) {
    const stoa_parquet_reader *reader = plan->reader;
    const stoa_parquet_read_options *options = &plan->options;
    if (options->field_ids == NULL) {
        plan->root = reader->root;
        plan->schema = stoa_schema_retain(reader->schema);
        return STOA_OK;
    }
    return stoa_read_schema_project(reader->context.pool, &plan->arena, reader->schema,
                                    &reader->root, options->field_ids, options->field_count,
                                    &plan->root, &plan->schema, err);
}

/* ---- Options --------------------------------------------------------------------------------- */

static stoa_status check_options(const stoa_parquet_reader *reader,
                                 const stoa_parquet_read_options *options, stoa_error *err) {
    int64_t end = 0;
    for (int32_t i = 0; options->groups != NULL && i < options->group_count; i++) {
        if (options->groups[i] < 0 || options->groups[i] >= reader->footer.group_count) {
            return stoa_fail(err, STOA_INVALID,
                             "expected a row group from 0 to %" PRId32 " but found %" PRId32,
                             reader->footer.group_count - 1, options->groups[i]);
        }
    }
    for (int32_t i = 0; options->ranges != NULL && i < options->range_count; i++) {
        const stoa_parquet_row_range *range = &options->ranges[i];
        int64_t range_end;
        if (range->first < end || range->count < 1 ||
            !stoa_add_i64(range->first, range->count, &range_end) ||
            range_end > reader->row_count) {
            return stoa_fail(err, STOA_INVALID,
                             "expected growing ranges within %" PRId64 " rows but found %" PRId64
                             " rows from %" PRId64,
                             reader->row_count, range->count, range->first);
        }
        end = range_end;
    }
    if (options->batch_rows < 0) {
        return stoa_fail(err, STOA_INVALID, "expected a number of rows but found %" PRId64,
                         options->batch_rows);
    }
    return STOA_OK;
}

static stoa_status copy_array(stoa_arena *arena, const void *source, int32_t count, size_t size,
                              const void **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    if (source == NULL) {
        return STOA_OK;
    }
    STOA_TRY(stoa_arena_allocate_array(arena, (size_t)count + 1, size, &memory, err));
    memcpy(memory, source, (size_t)count * size);
    *out = memory;
    return STOA_OK;
}

static stoa_status copy_options(stoa_read_plan *plan, const stoa_parquet_read_options *options,
                                stoa_error *err) {
    const void *fields, *groups, *ranges, *encoded;
    STOA_TRY(copy_array(&plan->arena, options->field_ids, options->field_count, sizeof(int32_t),
                        &fields, err));
    STOA_TRY(copy_array(&plan->arena, options->groups, options->group_count, sizeof(int32_t),
                        &groups, err));
    STOA_TRY(copy_array(&plan->arena, options->ranges, options->range_count,
                        sizeof(stoa_parquet_row_range), &ranges, err));
    STOA_TRY(copy_array(&plan->arena, options->dictionary_ids, options->dictionary_count,
                        sizeof(int32_t), &encoded, err));
    plan->options = *options;
    plan->options.field_ids = fields;
    plan->options.groups = groups;
    plan->options.ranges = ranges;
    plan->options.dictionary_ids = encoded;
    plan->options.column_bytes = options->column_bytes == 0 || options->column_bytes > INT32_MAX
                                     ? INT32_MAX
                                     : options->column_bytes;
    plan->options.batch_rows = options->batch_rows < INT32_MAX - 8 ? options->batch_rows
                                                                   : INT32_MAX - 8;
    return STOA_OK;
}

stoa_status stoa_read_plan_init(const stoa_parquet_reader *reader,
                                const stoa_parquet_read_options *options, int32_t lane_count,
                                stoa_read_plan *out, stoa_error *err) {
    *out = (stoa_read_plan){.reader = reader};
    stoa_arena_init(&out->arena, reader->context.pool);
    STOA_TRY(check_options(reader, options, err));
    STOA_TRY(copy_options(out, options, err));
    STOA_TRY(project(out, err));
    STOA_TRY(make_leaves(out, err));
    STOA_TRY(choose_encoded(out, err));
    return stoa_read_parts_make(out, lane_count, err);
}

void stoa_read_plan_release(stoa_read_plan *plan) {
    stoa_schema_close(plan->schema);
    plan->schema = NULL;
    stoa_arena_release(&plan->arena);
}
