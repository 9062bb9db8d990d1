# A VPC with a public and a private subnet in each zone. Functions and database are in the private ones;
# the public ones contain only NAT gateways. With ipv6_egress_enabled, the private ones have IPv6 addresses too,
# from which connections can be opened and to which none can.

locals {
  # Each subnet has a sixteenth: public ones first, private ones from the ninth on.
  subnets = {
    for index, zone in var.availability_zones : zone => {
      public_cidr  = cidrsubnet(var.cidr_block, 4, index)
      private_cidr = cidrsubnet(var.cidr_block, 4, index + 8)
      index        = index
    }
  }
  nat_zones = {
    none         = []
    one          = slice(var.availability_zones, 0, 1)
    one-per-zone = var.availability_zones
  }[var.nat]
}

resource "aws_vpc" "this" {
  cidr_block                       = var.cidr_block
  assign_generated_ipv6_cidr_block = var.ipv6_egress_enabled ? true : null
  enable_dns_support               = true
  enable_dns_hostnames             = true

  tags = { Name = var.name }
}

# Nothing uses the default group, and without rules nothing can.
resource "aws_default_security_group" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-closed" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  for_each = local.subnets

  vpc_id                  = aws_vpc.this.id
  availability_zone       = each.key
  cidr_block              = each.value.public_cidr
  map_public_ip_on_launch = false

  tags = { Name = "${var.name}-public-${each.key}" }
}

resource "aws_subnet" "private" {
  for_each = local.subnets

  vpc_id            = aws_vpc.this.id
  availability_zone = each.key
  cidr_block        = each.value.private_cidr
  # AWS gives the VPC a /56, and a subnet always has a /64.
  ipv6_cidr_block                 = var.ipv6_egress_enabled ? cidrsubnet(aws_vpc.this.ipv6_cidr_block, 8, each.value.index) : null
  assign_ipv6_address_on_creation = var.ipv6_egress_enabled ? true : null
  map_public_ip_on_launch         = false

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table" "public" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-public" }
}

resource "aws_route" "public_internet" {
  route_table_id         = aws_route_table.public.id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.this.id
}

resource "aws_route_table_association" "public" {
  for_each = aws_subnet.public

  subnet_id      = each.value.id
  route_table_id = aws_route_table.public.id
}

resource "aws_route_table" "private" {
  for_each = local.subnets

  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-private-${each.key}" }
}

resource "aws_route_table_association" "private" {
  for_each = aws_subnet.private

  subnet_id      = each.value.id
  route_table_id = aws_route_table.private[each.key].id
}

resource "aws_eip" "nat" {
  for_each = toset(local.nat_zones)

  domain = "vpc"

  tags = { Name = "${var.name}-nat-${each.key}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  for_each = aws_eip.nat

  allocation_id = each.value.id
  subnet_id     = aws_subnet.public[each.key].id

  tags = { Name = "${var.name}-${each.key}" }
}

resource "aws_route" "private_internet" {
  for_each = length(local.nat_zones) > 0 ? aws_route_table.private : {}

  route_table_id         = each.value.id
  destination_cidr_block = "0.0.0.0/0"
  # The gateway of its own zone, else the only gateway.
  nat_gateway_id = try(aws_nat_gateway.this[each.key], one(values(aws_nat_gateway.this))).id
}

# Lets out and nothing in, without a fee by the hour or by the gigabyte.
resource "aws_egress_only_internet_gateway" "this" {
  count = var.ipv6_egress_enabled ? 1 : 0

  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_route" "private_ipv6" {
  for_each = var.ipv6_egress_enabled ? aws_route_table.private : {}

  route_table_id              = each.value.id
  destination_ipv6_cidr_block = "::/0"
  egress_only_gateway_id      = aws_egress_only_internet_gateway.this[0].id
}
