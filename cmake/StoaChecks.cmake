# The house's own rules, as tests with the label `house`.
set(tools ${PROJECT_SOURCE_DIR}/tools)
find_package(Python3 COMPONENTS Interpreter REQUIRED)

stoa_test(house.layers house house 60 ${Python3_EXECUTABLE} ${tools}/check_layers.py)
stoa_test(house.text house house 60 ${Python3_EXECUTABLE} ${tools}/check_text.py)
stoa_test(house.sizes house house 60 ${Python3_EXECUTABLE} ${tools}/check_sizes.py)
stoa_test(house.headers house house 300 ${tools}/check_headers.sh ${CMAKE_C_COMPILER})
stoa_test(house.exports house house 60 ${Python3_EXECUTABLE} ${tools}/check_exports.py
          $<TARGET_FILE:stoa_shared>)
stoa_test(docs.examples docs docs 600 ${tools}/run_script.sh ${tools}/check_docs.py)
