package catalog

import "strings"

// A Region is a place where AWS runs.
type Region struct {
	Name, Partition string
	// Default says that the region is enabled in every account; others are
	// opted into.
	Default bool
}

// regions are those of AWS's public region tables.
var regions = makeRegions()

func makeRegions() []Region {
	var out []Region
	add := func(partition string, std bool, names string) {
		for _, n := range strings.Fields(names) {
			out = append(out, Region{n, partition, std})
		}
	}
	add("aws", true, `us-east-1 us-east-2 us-west-1 us-west-2 ca-central-1 sa-east-1 eu-west-1 eu-west-2 eu-west-3 eu-central-1
		eu-north-1 ap-south-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-southeast-1 ap-southeast-2`)
	add("aws", false, `af-south-1 ap-east-1 ap-east-2 ap-south-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7
		ca-west-1 eu-central-2 eu-south-1 eu-south-2 il-central-1 me-central-1 me-south-1 mx-central-1`)
	add("aws-us-gov", true, "us-gov-west-1 us-gov-east-1")
	add("aws-cn", true, "cn-north-1 cn-northwest-1")
	add("aws-eusc", true, "eusc-de-east-1")
	return out
}

// Regions are all regions known, of all partitions.
func Regions() []Region { return regions }

// Partition gives a region's partition, "aws" for one that isn't known.
func Partition(region string) string {
	for _, r := range regions {
		if r.Name == region {
			return r.Partition
		}
	}
	return "aws"
}

// HomeRegion is where the global services of a region's partition live.
func HomeRegion(region string) string {
	switch Partition(region) {
	case "aws-us-gov":
		return "us-gov-west-1"
	case "aws-cn":
		return "cn-north-1"
	case "aws-eusc":
		return "eusc-de-east-1"
	}
	return "us-east-1"
}
