# Files as a part of a program. swale_embed(TARGET OUTPUT.c FILES...) adds to TARGET a generated source that
# defines `pages` and `page_count`, as src/app/serve/pages.h declares them, remade whenever a file changes.
#
# The same file is the script that writes it: cmake -DOUTPUT=... -DFILES=a,b,c -P SwaleEmbed.cmake
function(swale_embed target output)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE paths)
  list(JOIN paths "," joined)
  set(source ${CMAKE_CURRENT_BINARY_DIR}/${output})
  set(script ${PROJECT_SOURCE_DIR}/cmake/SwaleEmbed.cmake)
  add_custom_command(OUTPUT ${source} DEPENDS ${paths} ${script} VERBATIM
    COMMAND ${CMAKE_COMMAND} -DOUTPUT=${source} -DFILES=${joined} -P ${script})
  target_sources(${target} PRIVATE ${source})
endfunction()

if(NOT CMAKE_SCRIPT_MODE_FILE)
  return()
endif()

set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_svg "image/svg+xml")

set(arrays "")
set(entries "")
set(count 0)
string(REPLACE "," ";" FILES "${FILES}")
foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  get_filename_component(suffix ${path} LAST_EXT)
  string(SUBSTRING ${suffix} 1 -1 suffix)
  if(NOT type_${suffix})
    message(FATAL_ERROR "SwaleEmbed: no content type for ${name}")
  endif()
  file(READ ${path} bytes HEX)
  file(SIZE ${path} size)
  file(SHA256 ${path} digest)
  string(SUBSTRING ${digest} 0 16 digest)
  string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
  string(APPEND arrays "static const unsigned char page_${count}[] = {\n${bytes} 0\n};\n\n")
  string(APPEND entries "    { \"/${name}\", \"${type_${suffix}}\", \"\\\"${digest}\\\"\", page_${count}, ${size} },\n")
  math(EXPR count "${count} + 1")
endforeach()
file(WRITE ${OUTPUT} "/* Made by cmake/SwaleEmbed.cmake. */\n#include \"app/serve/pages.h\"\n\n${arrays}"
  "const struct page pages[] = {\n${entries}};\nconst size_t page_count = ${count};\n")
