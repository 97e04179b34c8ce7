/* A row group is a part. It is cut into several where it is so large that batches which wait for their
 * turn would fill memory, and where there are too few row groups for all lanes. A cut costs: a page that
 * lies across it is decompressed twice, and each lane loads the dictionary. So parts are as large as the
 * window allows, and small files stay whole.
 *
 * Rows of columns that repeat can be passed over only by decoding their levels, so that a second lane
 * does most of the first one's work again: where such columns are more than a little of the bytes,
 * groups stay whole, unless a page index says where rows are. So do groups of files that are read, not
 * mapped: passing over pages reads them. */
#include "parquet/read_parts.h"

enum {
    BATCH_BYTES = 1 << 20, /* half of a second-level cache: what is decoded is still there to be used */
    BATCH_ROWS_MIN = 4096,
    BATCH_ROWS_MAX = 65536,
    SLOTS_BYTES_MAX = 64 << 20,
    PART_BYTES_MAX = 64 << 20,
    PART_BYTES_MIN = 2 << 20,
    CUT_BYTES = 64 << 10, /* stored */
    WINDOW_BYTES_MIN = 4 << 20,
    REPEATED_SHARE = 4, /* a quarter */
    POOL_SHARE = 4
};

/* ---- Sizes ----------------------------------------------------------------------------------- */

/* Bytes of a leaf's values in batches. Of strings in dictionaries the footer often tells too little;
 * nothing but speed and memory in flight depends on it. */
static double leaf_bytes(const stoa_parquet_footer *footer, int32_t group,
                         const stoa_read_node *node) {
    const stoa_parquet_column *column = &footer->groups[group].columns[node->leaf];
    const double count = (double)column->value_count;
    switch (node->value_class) {
    case STOA_READ_NULL: return 0;
    case STOA_READ_BOOL: return count / 8;
    case STOA_READ_NARROW_1: return count;
    case STOA_READ_NARROW_2: return count * 2;
    case STOA_READ_FLOAT16: return count * 4;
    case STOA_READ_INT96: return count * 8;
    case STOA_READ_DECIMAL_I32:
    case STOA_READ_DECIMAL_I64:
    case STOA_READ_DECIMAL_FIXED:
    case STOA_READ_DECIMAL_BYTES:
    case STOA_READ_INTERVAL: return count * 16;
    case STOA_READ_BYTES:
        return count * 4 + (double)(column->byte_array_bytes >= 0 ? column->byte_array_bytes
                                                                  : column->uncompressed_bytes);
    default: return count * node->value_bytes;
    }
}

double stoa_read_leaf_weight(const stoa_read_plan *plan, const stoa_read_node *node) {
    const stoa_parquet_footer *footer = &plan->reader->footer;
    double bytes = 0;
    for (int32_t i = 0; i < footer->group_count; i++) {
        bytes += leaf_bytes(footer, i, node);
    }
    return bytes;
}

static double group_bytes(const stoa_read_plan *plan, int32_t group, bool only_unskipped) {
    const stoa_parquet_footer *footer = &plan->reader->footer;
    double bytes = 0;
    for (int32_t i = 0; i < plan->leaf_count; i++) {
        const stoa_read_node *node = plan->leaves[i];
        const bool is_skipped = footer->leaves[node->leaf].repetition_max == 0 ||
                                footer->groups[group].columns[node->leaf].offset_index.offset >= 0;
        if (!only_unskipped || !is_skipped) {
            bytes += leaf_bytes(footer, group, node);
        }
    }
    return bytes;
}

static int64_t choose_batch_rows(double row_bytes) {
    const double rows = BATCH_BYTES / (row_bytes > 1 ? row_bytes : 1);
    return rows <= BATCH_ROWS_MIN   ? BATCH_ROWS_MIN
           : rows >= BATCH_ROWS_MAX ? BATCH_ROWS_MAX
                                    : (int64_t)rows / BATCH_ROWS_MIN * BATCH_ROWS_MIN;
}

/* Nulls of a fixed width take its bytes in batches, but none in files, so that few of those could ask
 * for any memory. Rows with as much of one column come in smaller batches. */
static int64_t most_batch_rows(const stoa_read_plan *plan) {
    int64_t most = BATCH_ROWS_MAX;
    for (int32_t i = 0; i < plan->leaf_count; i++) {
        const stoa_read_node *node = plan->leaves[i];
        const int64_t fitting = node->value_class == STOA_READ_COPY && node->value_bytes > 0
                                    ? SLOTS_BYTES_MAX / node->value_bytes + 1
                                    : most;
        most = fitting < most ? fitting : most;
    }
    return most;
}

/* ---- Cutting --------------------------------------------------------------------------------- */

static int64_t divisor(int64_t a, int64_t b) {
    while (b != 0) {
        const int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* How many parts each of `group_count` groups would have to be, for lanes to end at the same time. */
static int64_t cuts_for_lanes(int64_t group_count, int64_t lane_count) {
    const int64_t even = lane_count / divisor(lane_count, group_count);
    const int64_t enough = (2 * lane_count + group_count - 1) / group_count;
    return even < enough ? even : enough;
}

/* Into how many parts the group is cut. `budget` is how many more cuts the bytes of the file are worth:
 * a footer may promise any number of rows. */
static int64_t count_cuts(const stoa_read_plan *plan, int32_t group, int64_t for_lanes,
                          int64_t *budget) {
    const double bytes = group_bytes(plan, group, false);
    if (plan->reader->map == NULL || group_bytes(plan, group, true) * REPEATED_SHARE > bytes) {
        return 1;
    }
    const double for_memory = bytes / PART_BYTES_MAX + 0.5, most = bytes / PART_BYTES_MIN;
    double count = (double)for_lanes > for_memory ? (double)for_lanes : for_memory;
    count = count < most ? count : most;
    count = count < (double)*budget ? count : (double)*budget;
    if (count < 2) {
        return 1;
    }
    *budget -= (int64_t)count - 1;
    return (int64_t)count;
}

/* Cuts a group's rows at batches; pieces without a row that is wanted are left out. */
static void cut_group(stoa_read_plan *plan, int32_t group, int64_t group_first, int64_t count) {
    const int64_t rows = plan->reader->footer.groups[group].row_count;
    const int64_t batch = plan->options.batch_rows;
    int64_t piece = rows / count + (rows % count != 0);
    piece = piece < rows - batch ? (piece + batch - 1) / batch * batch : rows;
    for (int64_t first = 0; first < rows; first += piece) {
        const stoa_read_part part = {.group = group,
                                     .group_first = group_first,
                                     .first = first,
                                     .end = piece < rows - first ? first + piece : rows};
        stoa_read_window window;
        if (stoa_read_plan_window(plan, &part, first, &window)) {
            plan->parts[plan->part_count++] = part;
        }
    }
}

/* What lanes need to go on while batches of the first of them are taken: a part each, and a bit. Never
 * much of the memory that there is. */
static size_t choose_window(const stoa_read_plan *plan, double part_bytes, int32_t lane_count) {
    const size_t limit = stoa_pool_limit(plan->reader->context.pool) / POOL_SHARE;
    const double batch_bytes = plan->row_bytes * (double)plan->options.batch_rows;
    double bytes = (part_bytes + 2 * batch_bytes) * lane_count;
    const double most = limit > 0 && limit < (size_t)lane_count * PART_BYTES_MAX
                            ? (double)limit
                            : (double)lane_count * PART_BYTES_MAX;
    bytes = bytes > WINDOW_BYTES_MIN ? bytes : WINDOW_BYTES_MIN;
    return (size_t)(bytes < most ? bytes : most);
}

static int32_t group_at(const stoa_read_plan *plan, int32_t place) {
    return plan->options.groups == NULL ? place : plan->options.groups[place];
}

/* Makes the parts of all groups that are asked for, in their order. */
static stoa_status cut_groups(stoa_read_plan *plan, const int64_t *firsts, int32_t group_count,
                              int32_t lane_count, stoa_error *err) {
    const int64_t for_lanes = group_count > 0 ? cuts_for_lanes(group_count, lane_count) : 1;
    const int64_t worth = (int64_t)(plan->reader->footer.file_bytes / CUT_BYTES);
    int64_t budget = worth, part_count = 0;
    double part_bytes = 0;
    void *parts = NULL;
    for (int32_t i = 0; i < group_count; i++) {
        part_count += count_cuts(plan, group_at(plan, i), for_lanes, &budget);
    }
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, (size_t)part_count, sizeof *plan->parts, &parts,
                                       err));
    plan->parts = parts;
    budget = worth;
    for (int32_t i = 0; i < group_count; i++) {
        const int32_t group = group_at(plan, i);
        const int64_t count = count_cuts(plan, group, for_lanes, &budget);
        const double bytes = group_bytes(plan, group, false) / (double)count;
        part_bytes = bytes > part_bytes ? bytes : part_bytes;
        cut_group(plan, group, firsts[group], count);
    }
    STOA_ASSERT(plan->part_count <= part_count);
    plan->window_bytes = choose_window(plan, part_bytes, lane_count);
    return STOA_OK;
}

stoa_status stoa_read_parts_make(stoa_read_plan *plan, int32_t lane_count, stoa_error *err) {
    const stoa_parquet_footer *footer = &plan->reader->footer;
    void *memory = NULL;
    double bytes = 0;
    int64_t rows = 0;
    STOA_TRY(stoa_arena_allocate_array(&plan->arena, (size_t)footer->group_count, sizeof(int64_t),
                                       &memory, err));
    int64_t *firsts = memory;
    for (int32_t i = 0; i < footer->group_count; i++) {
        firsts[i] = rows;
        rows += footer->groups[i].row_count;
        bytes += group_bytes(plan, i, false);
    }
    plan->row_bytes = rows > 0 ? bytes / (double)rows : 0;
    if (plan->options.batch_rows == 0) {
        plan->options.batch_rows = plan->options.predicate != NULL
                                       ? BATCH_ROWS_MAX /* most of them may be left out */
                                       : choose_batch_rows(plan->row_bytes);
        const int64_t most = most_batch_rows(plan);
        if (plan->options.batch_rows > most) {
            plan->options.batch_rows = most;
        }
    }
    return cut_groups(plan, firsts,
                      plan->options.groups == NULL ? footer->group_count : plan->options.group_count,
                      lane_count, err);
}
