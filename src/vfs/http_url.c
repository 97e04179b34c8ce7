/* URLs as the transport compares and follows them, taken apart by libcurl's own parser, so that we
 * and it never disagree about which host one names. */
#include "vfs/http_url.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"

static stoa_status parse(const struct stoa_curl *curl, const char *text, CURLU **out,
                         stoa_error *err) {
    CURLU *url = curl->curl_url();
    *out = NULL;
    if (url == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "no memory for a URL");
    }
    CURLUcode code = curl->curl_url_set(url, CURLUPART_URL, text,
                                        CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS);
    if (code != CURLUE_OK) {
        curl->curl_url_cleanup(url);
        return code == CURLUE_OUT_OF_MEMORY
                   ? stoa_fail(err, STOA_NO_MEMORY, "no memory for a URL")
                   : stoa_fail(err, STOA_INVALID, "it is no URL of http or https");
    }
    *out = url;
    return STOA_OK;
}

/* A part of a URL, or NULL; to be given back with curl_free. */
static char *part_of(const struct stoa_curl *curl, CURLU *url, CURLUPart part) {
    char *text = NULL;
    return curl->curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK ? text : NULL;
}

static bool same_part(const struct stoa_curl *curl, CURLU *a, CURLU *b, CURLUPart part) {
    char *of_a = part_of(curl, a, part), *of_b = part_of(curl, b, part);
    bool same = of_a != NULL && of_b != NULL && strcasecmp(of_a, of_b) == 0;
    curl->curl_free(of_a);
    curl->curl_free(of_b);
    return same;
}

static bool has_scheme(const struct stoa_curl *curl, CURLU *url, const char *scheme) {
    char *found = part_of(curl, url, CURLUPART_SCHEME);
    bool has = found != NULL && strcasecmp(found, scheme) == 0;
    curl->curl_free(found);
    return has;
}

stoa_status stoa_http_url_same_origin(const struct stoa_curl *curl, const char *a, const char *b,
                                      bool *out, stoa_error *err) {
    stoa_status status = STOA_OK;
    CURLU *first = NULL, *second = NULL;
    *out = false;
    STOA_CHECK(parse(curl, a, &first, err));
    STOA_CHECK(parse(curl, b, &second, err));
    *out = same_part(curl, first, second, CURLUPART_SCHEME) &&
           same_part(curl, first, second, CURLUPART_HOST) &&
           same_part(curl, first, second, CURLUPART_PORT);

done:
    curl->curl_url_cleanup(first);
    curl->curl_url_cleanup(second);
    return status;
}

static stoa_status check_redirect(const struct stoa_curl *curl, CURLU *from, CURLU *to,
                                  stoa_error *err) {
    if (has_scheme(curl, to, "https") ||
        (has_scheme(curl, to, "http") && has_scheme(curl, from, "http"))) {
        return STOA_OK;
    }
    return stoa_fail(err, STOA_IO,
                     has_scheme(curl, to, "http")
                         ? "the server redirects from https to http, which is not followed"
                         : "the server redirects to another protocol than http and https");
}

stoa_status stoa_http_url_redirect(const struct stoa_curl *curl, stoa_pool *pool, const char *from,
                                   const char *to, char **out, stoa_error *err) {
    stoa_status status = STOA_OK;
    CURLU *source = NULL, *target = NULL;
    char *text = NULL;
    *out = NULL;
    STOA_CHECK(parse(curl, from, &source, err));
    status = parse(curl, to, &target, NULL);
    if (status != STOA_OK) {
        status = stoa_fail(err, status == STOA_INVALID ? STOA_IO : status,
                           "the server redirects to what is no URL");
        goto done;
    }
    STOA_CHECK(check_redirect(curl, source, target, err));
    (void)curl->curl_url_set(target, CURLUPART_USER, NULL, 0);
    (void)curl->curl_url_set(target, CURLUPART_PASSWORD, NULL, 0);
    (void)curl->curl_url_set(target, CURLUPART_FRAGMENT, NULL, 0);
    if (curl->curl_url_get(target, CURLUPART_URL, &text, 0) != CURLUE_OK) {
        status = stoa_fail(err, STOA_NO_MEMORY, "no memory for a URL");
        goto done;
    }
    STOA_CHECK(stoa_pool_copy_string(pool, text, out, err));

done:
    curl->curl_free(text);
    curl->curl_url_cleanup(source);
    curl->curl_url_cleanup(target);
    return status;
}
