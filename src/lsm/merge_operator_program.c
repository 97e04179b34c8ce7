/* Programs' own operators: their names, and calling them with cells.
 *
 * The list of functions is looked up under its lock; functions are called without it. */
#include <pthread.h>
#include <string.h>

#include "arrow/builder.h"
#include "lsm/cell.h"
#include "lsm/merge_operator_internal.h"

struct program {
    char *name;
    stoa_merge_function function;
    void *user;
};

struct stoa_merge_programs {
    pthread_mutex_t lock; /* guards the buffer */
    stoa_pool *pool;
    stoa_buffer list; /* struct program */
};

stoa_status stoa_merge_programs_create(stoa_pool *pool, stoa_merge_programs **out,
                                       stoa_error *err) {
    void *memory;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_merge_programs), &memory, err));
    stoa_merge_programs *programs = memory;
    programs->pool = pool;
    stoa_buffer_init(&programs->list, pool);
    pthread_mutex_init(&programs->lock, NULL);
    *out = programs;
    return STOA_OK;
}

static struct program *list_of(const stoa_merge_programs *programs, size_t *out_count) {
    *out_count = programs->list.size / sizeof(struct program);
    return (struct program *)(void *)programs->list.data;
}

void stoa_merge_programs_close(stoa_merge_programs *programs) {
    size_t count;
    if (programs == NULL) {
        return;
    }
    struct program *list = list_of(programs, &count);
    for (size_t i = 0; i < count; i++) {
        stoa_pool_free_string(programs->pool, list[i].name);
    }
    stoa_buffer_release(&programs->list);
    pthread_mutex_destroy(&programs->lock);
    stoa_pool_free(programs->pool, programs, sizeof *programs);
}

/* Under the lock. */
static struct program *find(const stoa_merge_programs *programs, const char *name) {
    size_t count;
    struct program *list = list_of(programs, &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, name) == 0) {
            return &list[i];
        }
    }
    return NULL;
}

static stoa_status add(stoa_merge_programs *programs, const struct program *added,
                       stoa_error *err) {
    struct program program = *added;
    STOA_TRY(stoa_pool_copy_string(programs->pool, added->name, &program.name, err));
    const stoa_status status = stoa_buffer_append(&programs->list, &program, sizeof program, err);
    if (status != STOA_OK) {
        stoa_pool_free_string(programs->pool, program.name);
    }
    return status;
}

stoa_status stoa_merge_programs_set(stoa_merge_programs *programs, const char *name,
                                    stoa_merge_function function, void *user, stoa_error *err) {
    const struct program added = {(char *)(uintptr_t)name, function, user};
    stoa_status status = STOA_OK;
    pthread_mutex_lock(&programs->lock);
    struct program *program = find(programs, name);
    if (program != NULL) {
        program->function = function;
        program->user = user;
    } else {
        status = add(programs, &added, err);
    }
    pthread_mutex_unlock(&programs->lock);
    return status;
}

static stoa_status look_up(const stoa_merge_column *column, stoa_merge_programs *programs,
                           const char *name, struct program *out, stoa_error *err) {
    const struct program *program = NULL;
    if (programs != NULL) {
        pthread_mutex_lock(&programs->lock);
        program = find(programs, name);
        if (program != NULL) {
            *out = *program;
        }
        pthread_mutex_unlock(&programs->lock);
    }
    return program != NULL ? STOA_OK
                           : stoa_fail(err, STOA_UNSUPPORTED,
                                       "column '%s': no merge function is registered as '%s'",
                                       column->field->name, name);
}

/* ---- Calling ---------------------------------------------------------------------------------- */

/* One column that a program folds. */
struct folding {
    const stoa_merge_column *column;
    struct program program;
    stoa_builder *builder;
    stoa_buffer cells; /* stoa_cell: the base or a null, then the operands */
};

static stoa_status push_cell(struct folding *folding, int64_t row, stoa_error *err) {
    stoa_cell cell;
    stoa_cell_from_array(&folding->column->field->type, folding->column->rows, row, &cell);
    return stoa_buffer_append(&folding->cells, &cell, sizeof cell, err);
}

/* The base (null where there is none), and the operands that are not null. */
static stoa_status collect(struct folding *folding, int64_t group, stoa_error *err) {
    const stoa_merge_column *column = folding->column;
    const stoa_cell none = {.is_null = true};
    int64_t row = column->groups.starts[group];
    stoa_buffer_clear(&folding->cells);
    if (column->has_base[group] != 0) {
        STOA_TRY(push_cell(folding, row++, err));
    } else {
        STOA_TRY(stoa_buffer_append(&folding->cells, &none, sizeof none, err));
    }
    for (; row < column->groups.starts[group + 1]; row++) {
        if (stoa_merge_is_valid(column, row)) {
            STOA_TRY(push_cell(folding, row, err));
        }
    }
    return STOA_OK;
}

static stoa_status check_result(const struct folding *folding, int64_t group, const stoa_cell *cell,
                                stoa_error *err) {
    const stoa_merge_column *column = folding->column;
    const stoa_status status = stoa_cell_check(column->field, cell, err);
    if (status != STOA_OK) {
        stoa_wrap(err, "column '%s': the result of merge function '%s'", column->field->name,
                  folding->program.name);
        stoa_error_set_column(err, column->index, column->field->name);
        stoa_error_set_row(err, group);
    }
    return status;
}

/* A lone value is the result without a call. */
static stoa_status fold_group(struct folding *folding, int64_t group, stoa_error *err) {
    STOA_TRY(collect(folding, group, err));
    const stoa_cell *cells = (const stoa_cell *)(const void *)folding->cells.data;
    const int64_t count = (int64_t)(folding->cells.size / sizeof(stoa_cell));
    stoa_cell result = cells[count - 1];
    if (count > 2 || (count == 2 && !cells[0].is_null)) {
        result = (stoa_cell){.is_null = true};
        folding->program.function(folding->program.user, cells, count, &result);
        STOA_TRY(check_result(folding, group, &result, err));
    }
    return stoa_cell_append(folding->builder, folding->column->field, &result, err);
}

stoa_status stoa_merge_program(const stoa_merge_column *column, stoa_merge_programs *programs,
                               const char *name, struct ArrowArray *out, stoa_error *err) {
    struct folding folding = {.column = column, .cells = {.pool = column->pool}};
    struct ArrowSchema twin;
    stoa_status status = STOA_OK;
    STOA_TRY(look_up(column, programs, name, &folding.program, err));
    folding.program.name = (char *)(uintptr_t)name; /* of the definition: it stays */
    STOA_TRY(stoa_field_to_arrow(column->pool, column->field, &twin, err));
    STOA_CHECK(stoa_builder_create(column->pool, &twin, &folding.builder, err));
    STOA_CHECK(stoa_builder_reserve(folding.builder, column->groups.count, err));
    for (int64_t g = 0; g < column->groups.count; g++) {
        STOA_CHECK(fold_group(&folding, g, err));
    }
    STOA_CHECK(stoa_builder_finish(folding.builder, out, err));

done:
    stoa_builder_close(folding.builder);
    stoa_buffer_release(&folding.cells);
    stoa_arrow_schema_release(&twin);
    return status;
}
