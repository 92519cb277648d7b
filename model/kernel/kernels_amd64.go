package kernel

//go:generate go run -C gen ./vector -out ../vector_amd64.s -stubs ../vector_stubs_amd64.go -pkg kernel
//go:generate go run -C gen ./gemm -out ../gemm_amd64.s -stubs ../gemm_stubs_amd64.go -pkg kernel

// The tiles by their rows less one, and what else a product needs of an
// instruction set.
//
//nolint:gochecknoglobals // tables that never change
var (
	tilesAVX2 = tiles{
		mr: 6, nr: 16, lanes: 8, depth: 1024, rows: 48,
		full: [12]tile{tile1x16AVX2, tile2x16AVX2, tile3x16AVX2, tile4x16AVX2, tile5x16AVX2, tile6x16AVX2},
		masked: [3][12]tile{
			{tile1x8AVX2Masked, tile2x8AVX2Masked, tile3x8AVX2Masked, tile4x8AVX2Masked, tile5x8AVX2Masked, tile6x8AVX2Masked},
			{tile1x16AVX2Masked, tile2x16AVX2Masked, tile3x16AVX2Masked, tile4x16AVX2Masked, tile5x16AVX2Masked, tile6x16AVX2Masked},
		},
		axpy1: axpy1AVX2, axpy8: axpy8AVX2, row: row4x16AVX2,
		pack4: pack4x16AVX2, pack1: pack1x16AVX2, packTail: [3]packer{packTail8x16AVX2, packTail16x16AVX2},
	}
	tilesAVX512 = tiles{
		mr: 12, nr: 32, lanes: 16, depth: 512, rows: 192,
		full: [12]tile{
			tile1x32AVX512Masked, tile2x32AVX512Masked, tile3x32AVX512Masked, tile4x32AVX512Masked, tile5x32AVX512Masked, tile6x32AVX512Masked,
			tile7x32AVX512Masked, tile8x32AVX512Masked, tile9x32AVX512Masked, tile10x32AVX512Masked, tile11x32AVX512Masked, tile12x32AVX512Masked,
		},
		masked: [3][12]tile{
			{
				tile1x16AVX512Masked, tile2x16AVX512Masked, tile3x16AVX512Masked, tile4x16AVX512Masked, tile5x16AVX512Masked, tile6x16AVX512Masked,
				tile7x16AVX512Masked, tile8x16AVX512Masked, tile9x16AVX512Masked, tile10x16AVX512Masked, tile11x16AVX512Masked, tile12x16AVX512Masked,
			},
			{
				tile1x32AVX512Masked, tile2x32AVX512Masked, tile3x32AVX512Masked, tile4x32AVX512Masked, tile5x32AVX512Masked, tile6x32AVX512Masked,
				tile7x32AVX512Masked, tile8x32AVX512Masked, tile9x32AVX512Masked, tile10x32AVX512Masked, tile11x32AVX512Masked, tile12x32AVX512Masked,
			},
		},
		axpy1: axpy1AVX512, axpy8: axpy8AVX512, row: row4x32AVX512,
		pack4: pack4x32AVX512, pack1: pack1x32AVX512, packTail: [3]packer{packTail16x32AVX512, packTail32x32AVX512},
		large: &largeAVX512,
	}
	largeAVX512 = tiles{
		mr: 8, nr: 48, lanes: 16, depth: 512, rows: 192,
		full: [12]tile{
			tile1x48AVX512Masked, tile2x48AVX512Masked, tile3x48AVX512Masked, tile4x48AVX512Masked,
			tile5x48AVX512Masked, tile6x48AVX512Masked, tile7x48AVX512Masked, tile8x48AVX512Masked,
		},
		masked: [3][12]tile{
			{
				tile1x16AVX512Masked, tile2x16AVX512Masked, tile3x16AVX512Masked, tile4x16AVX512Masked,
				tile5x16AVX512Masked, tile6x16AVX512Masked, tile7x16AVX512Masked, tile8x16AVX512Masked,
			},
			{
				tile1x32AVX512Masked, tile2x32AVX512Masked, tile3x32AVX512Masked, tile4x32AVX512Masked,
				tile5x32AVX512Masked, tile6x32AVX512Masked, tile7x32AVX512Masked, tile8x32AVX512Masked,
			},
			{
				tile1x48AVX512Masked, tile2x48AVX512Masked, tile3x48AVX512Masked, tile4x48AVX512Masked,
				tile5x48AVX512Masked, tile6x48AVX512Masked, tile7x48AVX512Masked, tile8x48AVX512Masked,
			},
		},
		axpy1: axpy1AVX512, axpy8: axpy8AVX512,
		pack4: pack4x48AVX512, pack1: pack1x48AVX512,
		packTail: [3]packer{packTail16x48AVX512, packTail32x48AVX512, packTail48x48AVX512},
	}
	loopsAVX2 = loops{
		add: addAVX2, multiply: multiplyAVX2, scale: scaleAVX2, relu: reluAVX2,
		clamp: clampAVX2, maskPositive: maskPositiveAVX2, sigmoidSlope: sigmoidSlopeAVX2, tanhSlope: tanhSlopeAVX2,
		geluSlope: geluSlopeAVX2, softplusSlope: softplusSlopeAVX2, leakySlope: leakySlopeAVX2, eluSlope: eluSlopeAVX2,
		softplus: softplusAVX2, leaky: leakyAVX2, elu: eluAVX2, decay: decayAVX2, descend: descendAVX2, momentum: momentumAVX2,
		nesterov: nesterovAVX2, adam: adamAVX2, amsgrad: amsgradAVX2, nadam: nadamAVX2,
		rmsprop: rmspropAVX2, rmspropMomentum: rmspropMomentumAVX2, rmspropCentered: rmspropCenteredAVX2,
		rmspropMomentumCentered: rmspropMomentumCenteredAVX2, adagrad: adagradAVX2, lion: lionAVX2, exp: expAVX2,
		sigmoid: sigmoidAVX2, tanh: tanhAVX2, gelu: geluAVX2, log: logAVX2, finite: finiteAVX2,
		sum: sumAVX2, squares: squaresAVX2, max: maxAVX2, sumColumns: sumColumnsAVX2, softmax: softmaxAVX2, logSumExp: logSumExpAVX2,
		transpose8: transpose8,
	}
	loopsAVX512 = loops{
		add: addAVX512, multiply: multiplyAVX512, scale: scaleAVX512, relu: reluAVX512,
		clamp: clampAVX512, maskPositive: maskPositiveAVX512, sigmoidSlope: sigmoidSlopeAVX512, tanhSlope: tanhSlopeAVX512,
		geluSlope: geluSlopeAVX512, softplusSlope: softplusSlopeAVX512, leakySlope: leakySlopeAVX512, eluSlope: eluSlopeAVX512,
		softplus: softplusAVX512, leaky: leakyAVX512, elu: eluAVX512, decay: decayAVX512, descend: descendAVX512, momentum: momentumAVX512,
		nesterov: nesterovAVX512, adam: adamAVX512, amsgrad: amsgradAVX512, nadam: nadamAVX512,
		rmsprop: rmspropAVX512, rmspropMomentum: rmspropMomentumAVX512, rmspropCentered: rmspropCenteredAVX512,
		rmspropMomentumCentered: rmspropMomentumCenteredAVX512, adagrad: adagradAVX512, lion: lionAVX512, exp: expAVX512,
		sigmoid: sigmoidAVX512, tanh: tanhAVX512, gelu: geluAVX512, log: logAVX512, finite: finiteAVX512,
		sum: sumAVX512, squares: squaresAVX512, max: maxAVX512, sumColumns: sumColumnsAVX512, softmax: softmaxAVX512, logSumExp: logSumExpAVX512,
		transpose8: transpose8,
	}
)

// tiles returns the micro-kernels of s, nil if it has none.
func (s isa) tiles() *tiles {
	switch s {
	case avx512:
		return &tilesAVX512
	case avx2:
		return &tilesAVX2
	default:
		return nil
	}
}

// loops returns the element-wise loops of s, nil if it has none.
func (s isa) loops() *loops {
	switch s {
	case avx512:
		return &loopsAVX512
	case avx2:
		return &loopsAVX2
	default:
		return nil
	}
}
