# The layers. A layer's sources see the private headers of the layers below it and its own, and no others:
# each has an include directory of its own, made of links, so that a forbidden include does not compile.
#
#   L0 base   L1 proto io   L2 conn   L3 server client hub   (L5, the program, is an ordinary user of libswale)
set(SWALE_LAYERS base proto io conn server client hub)
set(SWALE_BELOW_base)
set(SWALE_BELOW_proto base)
set(SWALE_BELOW_io base)
set(SWALE_BELOW_conn base proto io)
set(SWALE_BELOW_server base proto io conn)
set(SWALE_BELOW_client base proto io conn)
set(SWALE_BELOW_hub base proto io conn)

# swale_layer(NAME SOURCES...) makes the object library swale_NAME.
function(swale_layer name)
  set(view ${PROJECT_BINARY_DIR}/layers/${name})
  file(MAKE_DIRECTORY ${view})
  foreach(layer ${SWALE_BELOW_${name}} ${name})
    file(CREATE_LINK ${PROJECT_SOURCE_DIR}/src/${layer} ${view}/${layer} SYMBOLIC)
  endforeach()
  add_library(swale_${name} OBJECT ${ARGN})
  target_include_directories(swale_${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${view})
  target_link_libraries(swale_${name} PRIVATE swale_flags)
endfunction()
