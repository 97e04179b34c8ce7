/* GeoArrow's metadata has "crs" (a PROJJSON object, or a string that "crs_type" explains) and "edges".
 * Parquet's crs is a string: "srid:N", "projjson:KEY", or anything; absent it is OGC:CRS84. */
#include "parquet/geo_type.h"

#include <jansson.h>
#include <stdlib.h>

#include "arrow/print.h"

static const char DEFAULT_CRS[] = "OGC:CRS84";
static const char *const EDGES[] = {"spherical", "vincenty", "thomas", "andoyer", "karney"};

const char *stoa_geo_edges_name(int32_t edges) {
    return edges >= 0 && (size_t)edges < sizeof EDGES / sizeof *EDGES ? EDGES[edges] : NULL;
}

/* ---- From Parquet ---------------------------------------------------------------------------- */

static const char *referred(const stoa_parquet_footer *footer, const char *crs) {
    static const char prefix[] = "projjson:";
    if (strncmp(crs, prefix, sizeof prefix - 1) != 0) {
        return crs;
    }
    for (int32_t i = 0; i < footer->pair_count; i++) {
        if (footer->pairs[i].value != NULL &&
            strcmp(footer->pairs[i].key, crs + sizeof prefix - 1) == 0) {
            return footer->pairs[i].value;
        }
    }
    return crs;
}

static bool is_json_object(const char *text) {
    json_t *json = text[0] == '{' ? json_loads(text, 0, NULL) : NULL;
    const bool is_object = json_is_object(json);
    json_decref(json);
    return is_object;
}

static stoa_status put_crs(const char *crs, stoa_buffer *out, stoa_error *err) {
    static const char srid[] = "srid:";
    const bool is_srid = strncmp(crs, srid, sizeof srid - 1) == 0;
    STOA_TRY(stoa_buffer_append_text(out, "{\"crs\": ", err));
    if (is_json_object(crs)) {
        return stoa_buffer_append_text(out, crs, err);
    }
    crs += is_srid ? sizeof srid - 1 : 0;
    STOA_TRY(stoa_json_string_print(crs, strlen(crs), out, err));
    return is_srid ? stoa_buffer_append_text(out, ", \"crs_type\": \"srid\"", err) : STOA_OK;
}

stoa_status stoa_geo_metadata(stoa_arena *arena, const stoa_parquet_footer *footer,
                              const stoa_parquet_element *element, const char **out,
                              stoa_error *err) {
    const bool has_crs = element->crs != NULL && element->crs[0] != '\0';
    const char *edges = element->logical == STOA_PARQUET_LOGICAL_GEOGRAPHY
                            ? stoa_geo_edges_name(element->edges)
                            : NULL;
    stoa_status status = STOA_OK;
    stoa_buffer text;
    stoa_buffer_init(&text, arena->pool);
    STOA_CHECK(put_crs(has_crs ? referred(footer, element->crs) : DEFAULT_CRS, &text, err));
    if (edges != NULL) {
        STOA_CHECK(stoa_buffer_append_format(&text, err, ", \"edges\": \"%s\"", edges));
    }
    STOA_CHECK(stoa_buffer_append_byte(&text, '}', err));
    STOA_CHECK(stoa_arena_copy_text(arena, (const char *)text.data, text.size, out, err));

done:
    stoa_buffer_release(&text);
    return status;
}

/* ---- To Parquet ------------------------------------------------------------------------------ */

static stoa_status parse_crs(const json_t *crs, const json_t *type, stoa_buffer *out,
                             stoa_error *err) {
    const char *text = json_string_value(crs);
    if (json_is_object(crs)) {
        char *dumped = json_dumps(crs, JSON_COMPACT);
        if (dumped == NULL) {
            return stoa_fail(err, STOA_NO_MEMORY, "no memory for the text of a crs");
        }
        const stoa_status status = stoa_buffer_append_text(out, dumped, err);
        free(dumped);
        return status;
    }
    if (text == NULL || strcmp(text, DEFAULT_CRS) == 0) {
        return STOA_OK;
    }
    if (json_is_string(type) && strcmp(json_string_value(type), "srid") == 0) {
        STOA_TRY(stoa_buffer_append_text(out, "srid:", err));
    }
    return stoa_buffer_append_text(out, text, err);
}

stoa_status stoa_geo_parse(const char *metadata, stoa_buffer *out_crs, int32_t *out_edges,
                           stoa_error *err) {
    json_t *json = metadata == NULL ? NULL : json_loads(metadata, 0, NULL);
    const char *edges = json_string_value(json_object_get(json, "edges"));
    const stoa_status status = parse_crs(json_object_get(json, "crs"),
                                         json_object_get(json, "crs_type"), out_crs, err);
    *out_edges = -1;
    for (int32_t i = 0; edges != NULL && stoa_geo_edges_name(i) != NULL; i++) {
        *out_edges = strcmp(edges, stoa_geo_edges_name(i)) == 0 ? i : *out_edges;
    }
    json_decref(json);
    return status;
}
