// Keeps what a library writes to standard error during one call from the user: TensorFlow's start-up chatter ignores its
// own log level in places. mute() gives a handle that restore() takes.
#include <fcntl.h>
#include <node_api.h>
#include <stdio.h>
#include <unistd.h>

static napi_value Mute(napi_env env, napi_callback_info info) {
  fflush(stderr);
  int saved = dup(2);
  int nothing = open("/dev/null", O_WRONLY);
  if (nothing >= 0) {
    dup2(nothing, 2);
    close(nothing);
  }
  napi_value result;
  napi_create_int32(env, saved, &result);
  return result;
}

static napi_value Restore(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  int32_t saved = -1;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  napi_get_value_int32(env, argument, &saved);
  if (saved >= 0) {
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
  }
  return NULL;
}

static napi_value Init(napi_env env, napi_value exports) {
  napi_property_descriptor members[] = {
      {"mute", NULL, Mute, NULL, NULL, NULL, napi_default, NULL},
      {"restore", NULL, Restore, NULL, NULL, NULL, napi_default, NULL}};
  napi_define_properties(env, exports, 2, members);
  return exports;
}

NAPI_MODULE(NODE_GYP_MODULE_NAME, Init)
