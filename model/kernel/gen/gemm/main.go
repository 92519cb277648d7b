// Command gemm writes the micro-kernels of the matrix product.
package main

import "github.com/mmcloughlin/avo/build"

func main() {
	build.Generate()
}
