# What `cmake --install` puts where, and how other builds find it: find_package(swale) and pkg-config swale.
include(CMakePackageConfigHelpers)

install(DIRECTORY include/swale TYPE INCLUDE)
install(TARGETS swale_static swale_shared EXPORT swale)
install(TARGETS swale)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/swale)
install(EXPORT swale NAMESPACE swale:: FILE swale-targets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/swale-config.cmake.in ${PROJECT_BINARY_DIR}/swale-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/swale-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/swale-config.cmake ${PROJECT_BINARY_DIR}/swale-config-version.cmake
        DESTINATION ${package_dir})

# pcfiledir makes the installed tree relocatable.
file(RELATIVE_PATH swale_prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/swale.pc.in ${PROJECT_BINARY_DIR}/swale.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/swale.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

file(GLOB man_pages CONFIGURE_DEPENDS docs/man/*.1)
install(FILES ${man_pages} DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)

install(FILES ${PROJECT_BINARY_DIR}/completions/swale DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${PROJECT_BINARY_DIR}/completions/_swale DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
