# How everything in this tree is compiled.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library(swale_flags INTERFACE)
target_compile_definitions(swale_flags INTERFACE _GNU_SOURCE)
target_compile_options(swale_flags INTERFACE
  # Calls within the library may be inlined, although the shared one exports what they call.
  -fno-semantic-interposition
  -Wall -Wextra -Wconversion -Wshadow -Wvla -Wpointer-arith -Wwrite-strings
  # snprintf cuts on purpose wherever its result is not looked at.
  $<$<C_COMPILER_ID:GNU>:-Wno-format-truncation>
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes -Wmissing-prototypes>
  $<$<BOOL:${SWALE_WERROR}>:-Werror>)

if(SWALE_COVERAGE)
  add_compile_options(--coverage -fprofile-update=atomic)
  add_link_options(--coverage)
endif()

if(SWALE_SANITIZE)
  add_compile_options(-fsanitize=${SWALE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${SWALE_SANITIZE})
endif()
