#include "tool-adapter/authorization/challenge.h"

#include <string.h>

static bool is_token_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_blanks(str *rest, bool and_commas)
{
    size_t i = 0;
    while (i < rest->len &&
           (rest->ptr[i] == ' ' || rest->ptr[i] == '\t' || (and_commas && rest->ptr[i] == ','))) {
        i++;
    }
    *rest = str_slice(*rest, i, rest->len);
}

static str take_token(str *rest)
{
    size_t i = 0;
    while (i < rest->len && is_token_byte(rest->ptr[i])) i++;
    str token = str_slice(*rest, 0, i);
    *rest     = str_slice(*rest, i, rest->len);
    return token;
}

/* A token, or a quoted text without its quotes; false: neither. */
static bool take_value(str *rest, str *ret_value)
{
    skip_blanks(rest, false);
    if (rest->len == 0 || rest->ptr[0] != '"') {
        *ret_value = take_token(rest);
        return ret_value->len > 0;
    }
    size_t i = 1;
    while (i < rest->len && rest->ptr[i] != '"') i += rest->ptr[i] == '\\' ? 2 : 1;
    if (i >= rest->len) return false;
    *ret_value = str_slice(*rest, 1, i);
    *rest      = str_slice(*rest, i + 1, rest->len);
    return true;
}

bool challenge_scheme(str *rest, str *ret_scheme)
{
    *ret_scheme = challenge_token(rest);
    return ret_scheme->len > 0;
}

str challenge_token(str *list)
{
    skip_blanks(list, true);
    return take_token(list);
}

/* A token without `=` is the next scheme. */
enum challenge_part challenge_parameter(str *rest, str *ret_name, str *ret_value)
{
    skip_blanks(rest, true);
    str before = *rest;
    str value  = {};
    str name   = take_token(rest);
    skip_blanks(rest, false);
    if (name.len == 0 || rest->len == 0 || rest->ptr[0] != '=') {
        *rest = before;
        return CHALLENGE_END;
    }
    *rest = str_slice(*rest, 1, rest->len);
    if (!take_value(rest, &value)) {
        *rest = (str){};
        return CHALLENGE_BROKEN;
    }
    *ret_name  = name;
    *ret_value = value;
    return CHALLENGE_PARAMETER;
}
