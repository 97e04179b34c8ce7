/* As in schema/predicate_match.c, each node is asked which rows may make it TRUE, or which may make it
 * FALSE: NOT turns one question into the other. It is asked in rounds, the cheap one first, and the
 * next only while rows are left: statistics, which the footer has; the page index, some kilobytes; a
 * bloom filter, where it is smaller than what is left to read of its column.
 *
 * Source   Apache Parquet format 2.12, "PageIndex.md", "BloomFilter.md" */
#include "parquet/prune.h"

#include <math.h>

#include "schema/predicate_build.h"

enum round { ROUND_PAGES, ROUND_BLOOM };

struct question {
    stoa_pruner *pruner;
    enum round round;
    int64_t rows_left; /* by the round before */
    stoa_error *err;
};

/* ---- Fields ---------------------------------------------------------------------------------- */

static stoa_prune_field *field_of(const stoa_pruner *pruner, int32_t field_id) {
    for (int32_t i = 0; i < pruner->field_count; i++) {
        if (pruner->fields[i].bounds.node->field_id == field_id) {
            return &pruner->fields[i];
        }
    }
    return NULL;
}

static int32_t count_leaves(const stoa_predicate *predicate, int32_t depth) {
    int32_t count = predicate->child_count == 0;
    for (int32_t i = 0; i < predicate->child_count && depth < STOA_PREDICATE_DEPTH_MAX; i++) {
        count += count_leaves(predicate->children[i], depth + 1);
    }
    return count;
}

static void collect_fields(stoa_pruner *pruner, const stoa_read_node *root,
                           const stoa_predicate *predicate, int32_t depth) {
    for (int32_t i = 0; i < predicate->child_count && depth < STOA_PREDICATE_DEPTH_MAX; i++) {
        collect_fields(pruner, root, predicate->children[i], depth + 1);
    }
    if (predicate->child_count > 0 || predicate->kind < STOA_PREDICATE_EQUAL ||
        field_of(pruner, predicate->field_id) != NULL) {
        return;
    }
    const stoa_read_node *node = stoa_read_schema_find(root, predicate->field_id);
    const stoa_field *field = stoa_schema_field(pruner->schema, predicate->field_id);
    if (node == NULL || field == NULL || node->child_count > 0 ||
        node->kind == STOA_TYPE_STRUCT) {
        return;
    }
    pruner->fields[pruner->field_count++].bounds =
        stoa_bounds_reader_of(pruner->footer, node, &field->type);
}

stoa_status stoa_pruner_init(stoa_pool *pool, stoa_file *file, const stoa_parquet_footer *footer,
                             const stoa_read_node *root, const stoa_schema *schema,
                             const stoa_predicate *predicate, stoa_pruner *out, stoa_error *err) {
    const size_t count = (size_t)count_leaves(predicate, 1);
    void *fields = NULL, *summaries = NULL;
    *out = (stoa_pruner){.file = file,
                         .footer = footer,
                         .schema = schema,
                         .predicate = predicate,
                         .pool = pool,
                         .group = -1};
    stoa_arena_init(&out->arena, pool);
    stoa_arena_init(&out->group_arena, pool);
    STOA_TRY(
        stoa_arena_allocate_array(&out->arena, count, sizeof *out->fields, &fields, err));
    STOA_TRY(stoa_arena_allocate_array(&out->arena, count, sizeof *out->summaries, &summaries,
                                       err));
    out->fields = fields;
    out->summaries = summaries;
    collect_fields(out, root, predicate, 1);
    return STOA_OK;
}

void stoa_pruner_release(stoa_pruner *pruner) {
    stoa_arena_release(&pruner->group_arena);
    stoa_arena_release(&pruner->arena);
}

/* ---- Statistics ------------------------------------------------------------------------------ */

static const stoa_parquet_column *column_of(const stoa_pruner *pruner,
                                            const stoa_prune_field *field) {
    return &pruner->footer->groups[pruner->group].columns[field->bounds.node->leaf];
}

/* A chunk that has not a value for each row is found out when it is read. */
static stoa_field_summary chunk_summary(const stoa_pruner *pruner, stoa_prune_field *field) {
    const stoa_parquet_column *column = column_of(pruner, field);
    const stoa_parquet_bounds *given = &column->bounds;
    const int64_t rows = pruner->footer->groups[pruner->group].row_count;
    field->chunk = (stoa_read_bounds){0};
    if (!column->has_bounds || column->value_count != rows) {
        return stoa_bounds_summary(&field->bounds, rows, -1, -1, &field->chunk);
    }
    stoa_bounds_reader_read(&field->bounds, given->min, given->min_size, given->max,
                            given->max_size, given->is_deprecated, &field->chunk);
    return stoa_bounds_summary(&field->bounds, rows, given->null_count, given->nan_count,
                               &field->chunk);
}

static void begin_group(stoa_pruner *pruner, int32_t group) {
    if (pruner->group == group) {
        return;
    }
    pruner->group = group;
    for (int32_t i = 0; i < pruner->field_count; i++) {
        stoa_prune_field *field = &pruner->fields[i];
        field->has_index = false;
        field->has_bloom = false;
        pruner->summaries[i] = chunk_summary(pruner, field);
    }
    stoa_arena_release(&pruner->group_arena);
}

static bool leaf_may(const stoa_pruner *pruner, const stoa_predicate *leaf, bool truth,
                     const stoa_field_summary *summary) {
    const stoa_predicate *const children[] = {leaf};
    const stoa_predicate negation = {.kind = STOA_PREDICATE_NOT,
                                     .children = children,
                                     .child_count = 1};
    return stoa_predicate_may_match(truth ? leaf : &negation, pruner->schema, summary, 1);
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* What is damaged is as good as missing. */
static stoa_status unless_damaged(stoa_status status, const stoa_error *cause, stoa_error *err) {
    if (status == STOA_OK || status == STOA_CORRUPT || status == STOA_UNSUPPORTED) {
        return STOA_OK;
    }
    if (err != NULL) {
        *err = *cause;
    }
    return status;
}

static stoa_status load_index(stoa_pruner *pruner, stoa_prune_field *field, stoa_error *err) {
    stoa_error cause = STOA_ERROR_NONE;
    if (field->has_index) {
        return STOA_OK;
    }
    const stoa_status status =
        stoa_page_index_read(pruner->file, pruner->footer, pruner->group, field->bounds.node->leaf,
                             &pruner->group_arena, &field->index, &cause);
    if (status != STOA_OK) {
        field->index = (stoa_page_index){0};
    }
    field->has_index = true;
    return unless_damaged(status, &cause, err);
}

static bool page_may(const stoa_pruner *pruner, const stoa_prune_field *field,
                     const stoa_predicate *leaf, bool truth, int32_t page, int64_t rows) {
    const stoa_page_index *index = &field->index;
    stoa_read_bounds bounds = {0};
    if (!index->all_null[page]) {
        stoa_bounds_reader_read(&field->bounds, index->min[page].bytes, index->min[page].size,
                                index->max[page].bytes, index->max[page].size, false, &bounds);
    }
    const int64_t nulls = index->all_null[page]         ? rows
                          : index->null_counts != NULL ? index->null_counts[page]
                                                       : -1;
    const stoa_field_summary summary =
        stoa_bounds_summary(&field->bounds, rows, nulls,
                            index->nan_counts != NULL ? index->nan_counts[page] : -1, &bounds);
    return leaf_may(pruner, leaf, truth, &summary);
}

static stoa_status pages_rows(stoa_pruner *pruner, const stoa_prune_field *field,
                              const stoa_predicate *leaf, bool truth, stoa_buffer *out,
                              stoa_error *err) {
    const stoa_page_index *index = &field->index;
    const int64_t rows = pruner->footer->groups[pruner->group].row_count;
    if (index->locations == NULL || index->all_null == NULL || index->page_count == 0) {
        return stoa_row_ranges_append(out, 0, rows, err);
    }
    for (int32_t i = 0; i < index->page_count; i++) {
        const int64_t first = index->locations[i].first_row;
        const int64_t end =
            i + 1 < index->page_count ? index->locations[i + 1].first_row : rows;
        if (page_may(pruner, field, leaf, truth, i, end - first)) {
            STOA_TRY(stoa_row_ranges_append(out, first, end - first, err));
        }
    }
    return STOA_OK;
}

/* ---- Bloom filters --------------------------------------------------------------------------- */

/* A filter may be as large as the values that it keeps us from reading. */
static bool is_worth_it(const struct question *question, const stoa_prune_field *field) {
    const stoa_pruner *pruner = question->pruner;
    const stoa_parquet_column *column = column_of(pruner, field);
    const int64_t rows = pruner->footer->groups[pruner->group].row_count;
    return column->bloom.offset >= 0 && rows > 0 &&
           (double)column->bloom.bytes <= (double)column->compressed_bytes *
                                              (double)question->rows_left / (double)rows;
}

static stoa_status load_bloom(stoa_pruner *pruner, stoa_prune_field *field, stoa_error *err) {
    stoa_error cause = STOA_ERROR_NONE;
    if (field->has_bloom) {
        return STOA_OK;
    }
    const stoa_status status =
        stoa_bloom_filter_read(pruner->file, pruner->footer, pruner->group,
                               field->bounds.node->leaf, &pruner->group_arena, &field->bloom,
                               &cause);
    if (status != STOA_OK) {
        field->bloom = (stoa_bloom_filter){0};
    }
    field->has_bloom = true;
    return unless_damaged(status, &cause, err);
}

static bool bloom_has(const stoa_bloom_filter *bloom, const void *bytes, size_t size) {
    return stoa_bloom_may_contain(bloom, stoa_bloom_hash(bytes, size));
}

/* A zero has two forms that are equal, NaN very many. */
static bool bloom_has_float(const stoa_prune_field *field, double value) {
    const float narrow[] = {(float)value, -(float)value};
    const double wide[] = {value, -value};
    const bool is_narrow = field->bounds.physical == STOA_PARQUET_FLOAT;
    if (isnan(value) || field->bounds.physical == STOA_PARQUET_FIXED) {
        return true;
    }
    for (int i = 0; i < (value == 0 ? 2 : 1); i++) {
        if (is_narrow ? bloom_has(&field->bloom, &narrow[i], sizeof narrow[i])
                      : bloom_has(&field->bloom, &wide[i], sizeof wide[i])) {
            return true;
        }
    }
    return false;
}

static bool bloom_has_number(const stoa_prune_field *field, int64_t value) {
    const int32_t narrow = (int32_t)value;
    return field->bounds.physical == STOA_PARQUET_INT32
               ? bloom_has(&field->bloom, &narrow, sizeof narrow)
               : bloom_has(&field->bloom, &value, sizeof value);
}

/* Decimals in bytes may have leading zeros in as many ways as there are bytes; INT96 is not asked for
 * by the value that it stands for. */
static bool bloom_has_value(const stoa_prune_field *field, const stoa_value *value) {
    const stoa_bounds_reader *column = &field->bounds;
    if (value->is_null || value->type.kind != column->type.kind ||
        value->type.unit != column->type.unit || value->type.scale != column->type.scale) {
        return !value->is_null;
    }
    switch (column->physical) {
    case STOA_PARQUET_INT32:
    case STOA_PARQUET_INT64:
        return bloom_has_number(field, column->type.kind == STOA_TYPE_DECIMAL
                                           ? (int64_t)value->decimal
                                           : value->i);
    case STOA_PARQUET_FLOAT:
    case STOA_PARQUET_DOUBLE: return bloom_has_float(field, value->f);
    case STOA_PARQUET_BYTE_ARRAY:
    case STOA_PARQUET_FIXED:
        return column->type.kind == STOA_TYPE_DECIMAL || column->type.kind == STOA_TYPE_FLOAT ||
               bloom_has(&field->bloom, value->bytes, value->size);
    default: return true;
    }
}

static stoa_status bloom_may(const struct question *question, stoa_prune_field *field,
                             const stoa_predicate *leaf, bool *out, stoa_error *err) {
    *out = true;
    if ((leaf->kind != STOA_PREDICATE_EQUAL && leaf->kind != STOA_PREDICATE_IN) ||
        !is_worth_it(question, field)) {
        return STOA_OK;
    }
    STOA_TRY(load_bloom(question->pruner, field, err));
    if (field->bloom.blocks == NULL) {
        return STOA_OK;
    }
    for (int32_t i = 0; i < leaf->value_count; i++) {
        if (bloom_has_value(field, &leaf->values[i])) {
            return STOA_OK;
        }
    }
    *out = false;
    return STOA_OK;
}

/* ---- Trees ----------------------------------------------------------------------------------- */

static stoa_status leaf_rows(const struct question *question, const stoa_predicate *leaf,
                             bool truth, stoa_buffer *out) {
    stoa_pruner *pruner = question->pruner;
    stoa_prune_field *field = field_of(pruner, leaf->field_id);
    bool may = true;
    if (field == NULL) {
        return stoa_row_ranges_append(out, 0, pruner->footer->groups[pruner->group].row_count,
                                      question->err);
    }
    may = leaf_may(pruner, leaf, truth, &pruner->summaries[field - pruner->fields]);
    if (may && truth && question->round == ROUND_BLOOM) {
        STOA_TRY(bloom_may(question, field, leaf, &may, question->err));
    }
    if (!may) {
        return STOA_OK;
    }
    STOA_TRY(load_index(pruner, field, question->err));
    return pages_rows(pruner, field, leaf, truth, out, question->err);
}

static stoa_status node_rows(const struct question *question, const stoa_predicate *predicate,
                             bool truth, int32_t depth, stoa_buffer *out);

/* AND is true where all are, false where one is; OR the other way round. */
static stoa_status chain_rows(const struct question *question, const stoa_predicate *predicate,
                              bool truth, int32_t depth, stoa_buffer *out) {
    const bool all = (predicate->kind == STOA_PREDICATE_AND) == truth;
    stoa_pool *pool = question->pruner->pool;
    stoa_buffer one, both;
    stoa_status status = STOA_OK;
    stoa_buffer_init(&one, pool);
    stoa_buffer_init(&both, pool);
    if (all) {
        const int64_t rows =
            question->pruner->footer->groups[question->pruner->group].row_count;
        STOA_CHECK(stoa_row_ranges_append(out, 0, rows, question->err));
    }
    for (int32_t i = 0; i < predicate->child_count && !(all && out->size == 0); i++) {
        stoa_buffer_clear(&one);
        stoa_buffer_clear(&both);
        STOA_CHECK(node_rows(question, predicate->children[i], truth, depth + 1, &one));
        const stoa_row_ranges_view left = stoa_row_ranges_of(out), right = stoa_row_ranges_of(&one);
        STOA_CHECK(all ? stoa_row_ranges_intersect(left, right, &both, question->err)
                       : stoa_row_ranges_unite(left, right, &both, question->err));
        const stoa_buffer swap = *out;
        *out = both;
        both = swap;
    }

done:
    stoa_buffer_release(&one);
    stoa_buffer_release(&both);
    return status;
}

static stoa_status node_rows(const struct question *question, const stoa_predicate *predicate,
                             bool truth, int32_t depth, stoa_buffer *out) {
    const int64_t rows = question->pruner->footer->groups[question->pruner->group].row_count;
    if (depth > STOA_PREDICATE_DEPTH_MAX) {
        return stoa_row_ranges_append(out, 0, rows, question->err);
    }
    switch (predicate->kind) {
    case STOA_PREDICATE_TRUE:
    case STOA_PREDICATE_FALSE:
        return stoa_row_ranges_append(
            out, 0, (predicate->kind == STOA_PREDICATE_TRUE) == truth ? rows : 0, question->err);
    case STOA_PREDICATE_NOT:
        return node_rows(question, predicate->children[0], !truth, depth + 1, out);
    case STOA_PREDICATE_AND:
    case STOA_PREDICATE_OR: return chain_rows(question, predicate, truth, depth, out);
    default: return leaf_rows(question, predicate, truth, out);
    }
}

/* ---- Row groups ------------------------------------------------------------------------------ */

static int64_t count_rows(const stoa_buffer *ranges) {
    const stoa_row_ranges_view view = stoa_row_ranges_of(ranges);
    int64_t count = 0;
    for (int32_t i = 0; i < view.count; i++) {
        count += view.ranges[i].count;
    }
    return count;
}

/* False only when the statistics in the footer prove that no row of the group matches. Reads nothing. */
static bool group_may_match(stoa_pruner *pruner, int32_t group) {
    begin_group(pruner, group);
    return stoa_predicate_may_match(pruner->predicate, pruner->schema, pruner->summaries,
                                    pruner->field_count);
}

stoa_status stoa_pruner_rows(stoa_pruner *pruner, int32_t group, stoa_buffer *out,
                             stoa_error *err) {
    static const enum round rounds[] = {ROUND_PAGES, ROUND_BLOOM};
    stoa_status status = STOA_OK;
    stoa_buffer left;
    stoa_buffer_init(&left, pruner->pool);
    if (!group_may_match(pruner, group)) {
        return STOA_OK;
    }
    for (size_t i = 0; i < sizeof rounds / sizeof *rounds && (i == 0 || left.size > 0); i++) {
        const struct question question = {pruner, rounds[i], count_rows(&left), err};
        stoa_buffer_clear(&left);
        STOA_CHECK(node_rows(&question, pruner->predicate, true, 1, &left));
    }
    STOA_CHECK(stoa_buffer_append(out, left.data, left.size, err));

done:
    stoa_buffer_release(&left);
    return status;
}
