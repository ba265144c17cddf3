#include "tool-adapter/browser/picture_file.h"

#include "base/hash.h"

#include <string.h>

enum { SIGNATURE_MAX = 12 /* bytes of a file that say what it is; a multiple of three */ };

static const struct {
    const char *mime, *signature;
    size_t at;
} formats[] = {[PICTURE_PNG]  = {"image/png", "\x89PNG\r\n", 0},
               [PICTURE_JPEG] = {"image/jpeg", "\xff\xd8\xff", 0},
               [PICTURE_WEBP] = {"image/webp", "WEBP", 8},
               [PICTURE_PDF]  = {"application/pdf", "%PDF-", 0}};

static bool has_signature(enum picture_format format, str base64)
{
    unsigned char head[SIGNATURE_MAX] = {};
    size_t size                       = 0;
    str text                          = str_slice(base64, 0, SIGNATURE_MAX / 3 * 4);
    const char *signature             = formats[format].signature;
    return base64_decode(text, head, &size) && size == SIGNATURE_MAX &&
           memcmp(head + formats[format].at, signature, strlen(signature)) == 0;
}

static size_t size_of(str base64)
{
    size_t padding = 0;
    while (padding < 2 && base64.ptr[base64.len - 1 - padding] == '=') padding++;
    return base64.len / 4 * 3 - padding;
}

json picture_file_new(enum picture_format format, str base64)
{
    if (!has_signature(format, base64)) return json_invalid();
    json file = json_object_new(3);
    json_object_put_text(&file, "base64", json_text_lossy(base64));
    json_object_put_text(&file, "mime", json_text_from(formats[format].mime));
    json_object_put_text(&file, "size", json_int((int64_t)size_of(base64)));
    return file;
}
