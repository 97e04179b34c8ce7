/* Levels into validity and offsets: comparisons of 64 levels become words of bits, and slots are picked
 * out of these.
 *
 * Kernels: they allocate nothing, report nothing and assert what they expect. `cpu` is whose instructions
 * may be used, at most stoa_cpu_level; all give the same. */
#ifndef STOA_PARQUET_SLOT_KERNEL_H
#define STOA_PARQUET_SLOT_KERNEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

/// Which entries are slots of a field, and which of these are there; see stoa_read_node.
typedef struct stoa_slot_rule {
    const uint8_t *definition;
    const uint8_t *repetition; /* NULL: all 0 */
    int64_t entry_count;
    uint8_t slot_repetition;
    uint8_t slot_definition;
    uint8_t present_definition;
    uint8_t item_definition; /* lists */
} stoa_slot_rule;

/// Writes a bit a slot (`validity` has room for as many as entries, whole bytes) and returns how many
/// slots there are; `*out_present` is how many are not null.
int64_t stoa_slots_validity(stoa_cpu cpu, const stoa_slot_rule *rule, uint8_t *validity,
                            int64_t *out_present);

/// The same with the offset of each slot's first item, and behind them the count of items (`offsets`
/// has room for one more than entries).
int64_t stoa_slots_offsets(stoa_cpu cpu, const stoa_slot_rule *rule, uint8_t *validity,
                           int32_t *offsets, int64_t *out_present);

/// How many of `count` levels are at least `least`.
size_t stoa_levels_count(stoa_cpu cpu, const uint8_t *levels, size_t count, int least);

/// Where the row begins that comes after the next `*rows` rows, or `count`: a level 0 begins a row.
/// `*rows` becomes how many begin before there.
size_t stoa_levels_row_end(stoa_cpu cpu, const uint8_t *repetition, size_t count, int64_t *rows);

#endif
